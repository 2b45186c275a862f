#include "projections/clicks/settled_days.h"

#include <algorithm>
#include <chrono>

namespace linkledger::projections::clicks {

settled_days::settled_days(sql::connection& rows, domain::link_id const& link) {
    rows.query("SELECT day, unique_clicks FROM settled_days_v1 WHERE link_id = $1", {link.value},
               [&](sql::row const& r) { days_[r.time(0)].uniques += r.integer(1); });
    if (days_.empty()) return;
    rows.query("SELECT hour, unique_clicks FROM settled_hours_v1 WHERE link_id = $1", {link.value},
               [&](sql::row const& r) {
                   auto const hour = r.time(0);
                   days_[std::chrono::floor<std::chrono::days>(hour)].hours[hour] += r.integer(1);
               });
}

std::int64_t settled_days::uniques(std::optional<time> const& from, std::optional<time> const& to) const {
    std::int64_t sum = 0;
    for (auto const& [day, counts] : days_) {
        auto const ends = day + std::chrono::days{1};
        if ((from && ends <= *from) || (to && day >= *to)) continue;
        if ((!from || *from <= day) && (!to || ends <= *to)) {
            sum += counts.uniques;
            continue;
        }
        std::int64_t within = 0;
        for (auto const& [hour, uniques] : counts.hours)
            if ((!from || hour + std::chrono::hours{1} > *from) && (!to || hour < *to)) within += uniques;
        sum += std::min(within, counts.uniques);
    }
    return sum;
}

}  // namespace linkledger::projections::clicks
