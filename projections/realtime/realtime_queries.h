#pragma once
// Reads of the real-time counters (projection `realtime`).

#include "domain/ids.h"
#include "domain/time.h"
#include "eventlog/sql/connection.h"
#include "projections/realtime/window.h"

#include <boost/describe/class.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace linkledger::projections::realtime {

/// Without a window that is open there are no clicks and no times.
struct realtime_count {
    std::int64_t count = 0;
    std::optional<domain::timestamp> window_opened_at;
    std::optional<domain::timestamp> expires_at;

    bool operator==(realtime_count const&) const = default;
};
BOOST_DESCRIBE_STRUCT(realtime_count, (), (count, window_opened_at, expires_at))

/// Of a window as it is at `now`.
[[nodiscard]] realtime_count count_of(click_window const& window, domain::timestamp now);

/// Of a link or a workspace, by id.
[[nodiscard]] realtime_count get_count(sql::connection& rows, domain::uuid const& id, domain::timestamp now);

struct counter_row {
    domain::uuid id;
    bool is_link = false;
    click_window window;
};
/// Counters that changed after `after`, in order of position, `limit` at most. A position has two at most:
/// its link's and its workspace's.
[[nodiscard]] std::vector<counter_row> changed_counters(sql::connection& rows, eventlog::position after,
                                                        std::size_t limit);

}  // namespace linkledger::projections::realtime
