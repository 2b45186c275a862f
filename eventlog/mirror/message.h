#pragma once
// The form of an event in the mirror: subject, headers and payload, and back. docs/mirror.md describes it for
// clients in other languages.

#include "eventlog/event_log.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace linkledger::eventlog::mirror {

/// Every subject of the mirror begins so; `linkledger.events.>` is all of it.
inline constexpr std::string_view subject_prefix = "linkledger.events.";

/// The history that positions belong to.
struct history {
    uuid log_id{};
    std::int64_t epoch = 1;

    bool operator==(history const&) const = default;
};
[[nodiscard]] inline history history_of(log_head const& head) {
    return {head.log_id, head.epoch};
}
/// `0192…/1`: the header `Linkledger-Log`.
[[nodiscard]] std::string to_string(history const& of);

struct message {
    std::string subject;
    std::vector<std::pair<std::string_view, std::string>> headers;
    std::string payload;
};

/// Subject and headers hold no control characters and no wildcards, whatever the event holds. `into` may be
/// used again and again, which saves its memory.
void encode(recorded_event const& event, history const& of, message& into);

struct mirrored_event {
    history of;
    recorded_event event;
};

/// Reads a payload as `encode` wrote it: the very bytes that the log has. `corrupted` for anything else.
[[nodiscard]] result<mirrored_event> decode(std::string_view payload);

/// `linkledger.events.<workspace or "none">.<type>`, with `_` for what a subject cannot hold.
[[nodiscard]] std::string subject_of(event_body const& body);

}  // namespace linkledger::eventlog::mirror
