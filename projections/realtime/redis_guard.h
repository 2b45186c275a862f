#pragma once
// What Redis says of its own counters: of which history they are, and up to where.

#include "eventlog/event_log.h"

#include <optional>
#include <string>
#include <string_view>

namespace linkledger::projections::realtime {

inline constexpr std::string_view guard_key = "clicks:realtime:guard";
/// All keys of the counters, the guard's included.
inline constexpr std::string_view key_pattern = "clicks:realtime:*";

/// `clicks:realtime:<link>` or `clicks:realtime:total:<workspace>`: the count as decimal text.
[[nodiscard]] std::string count_key(domain::uuid const& id, bool is_link);
/// When the window opened, in microseconds since 1970; beside the count, which expires with it.
[[nodiscard]] std::string window_key(domain::uuid const& id);

/// Which counters: another log, epoch or version of the projection makes others of them.
struct counter_history {
    domain::uuid log_id{};
    std::int64_t epoch = 0;
    std::int64_t version = 0;
    bool operator==(counter_history const&) const = default;
};

struct redis_guard {
    enum class state {
        at,       ///< Counters are as the table is at `position`.
        filling,  ///< Rows up to `position` are there; later ones are on their way.
        wiping,   ///< Counters of another history are being removed.
    };
    counter_history history{};
    state what = state::wiping;
    eventlog::position position = 0;
    bool operator==(redis_guard const&) const = default;
};

/// `<log id>/<epoch>/v<version>/<state>/<position>`, compared as a whole by the scripts.
[[nodiscard]] std::string to_text(redis_guard const& guard);
/// None: nothing that we wrote.
[[nodiscard]] std::optional<redis_guard> parse_guard(std::string_view text);

}  // namespace linkledger::projections::realtime
