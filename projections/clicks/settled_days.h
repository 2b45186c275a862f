#pragma once
// Unique clicks of days whose visitors were erased, by whole hours and days.

#include "domain/ids.h"
#include "domain/time.h"
#include "eventlog/sql/connection.h"

#include <cstdint>
#include <map>
#include <optional>

namespace linkledger::projections::clicks {

/// Of one link. A visitor has another hash every day, so uniques of days add up; those of hours do within a
/// day up to the day's number, which they are never taken to exceed.
class settled_days {
public:
    settled_days(sql::connection& rows, domain::link_id const& link);

    using time = domain::timestamp;
    /// In [from, to): a day that lies within as it is, of others the hours that begin within.
    [[nodiscard]] std::int64_t uniques(std::optional<time> const& from, std::optional<time> const& to) const;
    [[nodiscard]] bool empty() const { return days_.empty(); }

private:
    struct one_day {
        std::int64_t uniques = 0;
        std::map<time, std::int64_t> hours;
    };
    std::map<time, one_day> days_;
};

}  // namespace linkledger::projections::clicks
