#pragma once
// A workspace as it was at an earlier moment, from its stream.

#include "eventlog/event_log.h"
#include "projections/accounts/accounts_queries.h"

#include <span>

namespace linkledger::projections::accounts {

/// The row that the projection would have after these events of the workspace's stream (its first ones,
/// oldest first); `role` is that of `member`. None: no events. `corrupted`: one cannot be read.
[[nodiscard]] eventlog::result<std::optional<workspace_row>> fold_workspace(
    std::span<eventlog::recorded_event const> events, std::optional<domain::user_id> const& member);

}  // namespace linkledger::projections::accounts
