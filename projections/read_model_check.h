#pragma once
// Read models against a fold of the log: totals of links, numbers of clicks, real-time counters, rows of the
// audit log, workspaces, members and keys.

#include "eventlog/keyring.h"
#include "projections/read_store.h"

#include <functional>
#include <string>
#include <vector>

namespace linkledger::projections {

struct read_model_difference {
    eventlog::position at = 0;  ///< Of the event concerned; 0: of none in particular.
    std::string model;          ///< `links`, `clicks`, `audit_logs`, `realtime`, `accounts`.
    std::string what;

    bool operator==(read_model_difference const&) const = default;
};

struct read_model_report {
    eventlog::position position = 0;                 ///< Up to which the log was folded.
    std::vector<read_model_difference> differences;  ///< 1,000 at most.
};

/// Each model is compared as of its own checkpoint, whatever is applied meanwhile. Where click details were
/// erased and not settled, a link's uniques may be anything from what is known to that and its erased clicks.
/// Throws sql::error. `progress` is told how far the fold is, and of how far.
[[nodiscard]] eventlog::result<read_model_report> check_read_models(
    eventlog::event_log& log, eventlog::keyring& keys, read_store& store,
    std::function<void(eventlog::position, eventlog::position)> const& progress);

}  // namespace linkledger::projections
