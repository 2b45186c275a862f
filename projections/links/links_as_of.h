#pragma once
// A link as it was at an earlier moment, from its stream: exact, whatever the read models hold.

#include "eventlog/event_log.h"
#include "projections/links/links_queries.h"

#include <span>

namespace linkledger::projections::links {

/// The row that the projection would have after these events of the link's stream (its first ones, oldest
/// first). Counters are 0: clicks are in other streams. None: no events. `corrupted`: one cannot be read.
[[nodiscard]] eventlog::result<std::optional<link_row>> fold_link(
    std::span<eventlog::recorded_event const> events);

}  // namespace linkledger::projections::links
