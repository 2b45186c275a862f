#pragma once
// The rows of clicks and of settled days: what the projection and its rebuild write alike.

#include "domain/event.h"
#include "eventlog/event_log.h"
#include "eventlog/sql/connection.h"

#include <vector>

namespace linkledger::projections::clicks {

/// Of clicks_v1.
[[nodiscard]] sql::parameters to_row(eventlog::recorded_event const& stored,
                                     domain::click::clicked const& click);
void write(std::vector<sql::parameters> const& rows, sql::connection& to);

/// Whether rows that are there already lose what tells people apart.
enum class earlier_rows { are_erased, are_left };
/// Uniques of days whose visitors are told apart for the last time stand in tables of their own from now on.
void settle(std::vector<domain::click::settled const*> const& days, earlier_rows how, sql::connection& in);

}  // namespace linkledger::projections::clicks
