// The SQL of the real-time counters' queries.

#include "projections/realtime/realtime_queries.h"

namespace linkledger::projections::realtime {

realtime_count count_of(click_window const& window, domain::timestamp now) {
    if (window.count == 0 || now >= window.expires_at()) return {};
    return {window.count, window.opened_at, window.expires_at()};
}

realtime_count get_count(sql::connection& rows, domain::uuid const& id, domain::timestamp now) {
    auto const window =
        rows.query_one("SELECT window_opened_at, count, position FROM realtime_v1 WHERE id = $1", {id},
                       [](sql::row const& r) {
                           return click_window{r.time(0), r.integer(1), r.integer(2)};
                       });
    return count_of(window.value_or(click_window{}), now);
}

std::vector<counter_row> changed_counters(sql::connection& rows, eventlog::position after,
                                          std::size_t limit) {
    return rows.query_all(
        "SELECT id, kind, window_opened_at, count, position FROM realtime_v1 WHERE position > $1 "
        "ORDER BY position LIMIT $2",
        {after, static_cast<std::int64_t>(limit)}, [](sql::row const& r) {
            return counter_row{r.id(0), r.text(1) == "link", {r.time(2), r.integer(3), r.integer(4)}};
        });
}

}  // namespace linkledger::projections::realtime
