#include "eventlog/merkle/opening.h"

#include "eventlog/bytes.h"
#include "eventlog/crypto.h"
#include "eventlog/json_reflect.h"
#include "eventlog/merkle/note.h"

#include <cstring>

namespace linkledger::eventlog::merkle {
namespace {

struct opening {
    std::int64_t position = 0;
    std::string stream;
    std::int64_t version = 0;
    std::int64_t recorded_at_us = 0;
    uuid event_id{};
    std::string type;
    std::int64_t schema_version = 0;
    uuid workspace_id{};
    std::int64_t occurred_at_us = 0;
    std::string salt;
    std::string data;
    std::string metadata;
    uuid personal_key_id{};
    std::string personal;
    uuid context_key_id{};
    std::string context;
    std::string leaf_hash;
};
BOOST_DESCRIBE_STRUCT(opening, (),
                      (position, stream, version, recorded_at_us, event_id, type, schema_version,
                       workspace_id, occurred_at_us, salt, data, metadata, personal_key_id, personal,
                       context_key_id, context, leaf_hash))

opening opening_of(recorded_event const& event) {
    auto const& body = event.body;
    return {event.position,
            event.stream,
            event.version,
            domain::to_unix_us(event.recorded_at),
            body.event_id,
            body.type,
            body.schema_version,
            body.workspace_id,
            domain::to_unix_us(body.occurred_at),
            to_hex(view_of(body.salt)),
            body.data,
            body.metadata,
            body.personal.key_id,
            to_base64(body.personal.bytes),
            body.context.key_id,
            to_base64(body.context.bytes),
            to_base64(event.leaf_hash)};
}

std::optional<recorded_event> event_of(opening const& from) {
    auto const salt_bytes = from_hex(from.salt);
    auto const personal = from_base64(from.personal);
    auto const context = from_base64(from.context);
    auto const leaf = digest_from_base64(from.leaf_hash);
    if (!salt_bytes || salt_bytes->size() != sizeof(salt) || !personal || !context || !leaf)
        return std::nullopt;
    recorded_event event{from.position, from.stream, from.version, domain::from_unix_us(from.recorded_at_us),
                         *leaf,         {}};
    auto& body = event.body;
    body.event_id = from.event_id;
    body.type = from.type;
    body.schema_version = static_cast<int>(from.schema_version);
    body.workspace_id = from.workspace_id;
    body.data = from.data;
    body.personal = {from.personal_key_id, *personal};
    body.context = {from.context_key_id, *context};
    body.metadata = from.metadata;
    body.occurred_at = domain::from_unix_us(from.occurred_at_us);
    std::memcpy(body.salt.data(), salt_bytes->data(), body.salt.size());
    return event;
}

}  // namespace

std::string to_opening(recorded_event const& event) {
    return json::to_text(opening_of(event));
}

std::optional<recorded_event> parse_opening(std::string_view line, std::string& error) {
    auto const value = json::parse(line, error);
    if (!value) return std::nullopt;
    opening read;
    std::vector<json::read_error> errors;
    if (!json::read(*value, read, "", json::unknown_fields::refuse, errors)) {
        error = errors.front().path + ' ' + errors.front().message;
        return std::nullopt;
    }
    auto event = event_of(read);
    // What says the same in another way (spaces, escapes, the case of a digit) has been changed, too.
    if (!event || to_opening(*event) != line) {
        error = "is not in the form in which it was written";
        return std::nullopt;
    }
    return event;
}

}  // namespace linkledger::eventlog::merkle
