// Stored bytes into events, by way of the upcasters, and back: damage is noticed, never a crash.

#include "eventlog/codec.h"
#include "tests/fuzz/targets.h"

namespace linkledger::fuzz {

/// Lines: type, schema version as one byte, personal part (empty: none), then the data.
void stored_event(std::string_view input) {
    auto const type = take_line(input);
    auto const version = take_line(input);
    auto const personal = take_line(input);
    (void)eventlog::decode_metadata(input);
    (void)eventlog::decode_context(input);
    int const schema = version.empty() ? 1 : version.front() - '0';
    std::optional<std::string_view> const part = personal.empty() ? std::nullopt : std::optional{personal};
    auto const read = eventlog::decode(type, schema, input, part);
    if (!read.has_value()) {
        must(read.error().code == eventlog::failure_code::corrupted, "what cannot be read is corrupted");
        must(!read.error().detail.empty(), "and the failure says what");
        return;
    }
    auto const stored = eventlog::encode(read.value());
    must(stored.type == type, "an event keeps its type");
    auto const again =
        eventlog::decode(stored.type, stored.schema_version, stored.data,
                         stored.personal ? std::optional<std::string_view>{*stored.personal} : std::nullopt);
    must(again.has_value(), "what was written can be read");
    auto const twice = eventlog::encode(again.value());
    must(twice.data == stored.data && twice.personal == stored.personal, "reading loses nothing");
}

}  // namespace linkledger::fuzz
