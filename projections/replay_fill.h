#pragma once
// Fills the read models of a replay: each by the fastest way that it offers, all at once.

#include "eventlog/keyring.h"
#include "projections/read_store.h"
#include "projections/replay.h"

namespace linkledger::projections {

struct replay_surroundings {
    eventlog::event_log& log;
    eventlog::keyring& keys;
    read_store& store;
};

/// Until every read model reflects the log up to `until`. What was filled by an earlier call stays. Throws
/// sql::error and std::exception.
[[nodiscard]] eventlog::result<void> fill_read_models(eventlog::log_head const& until,
                                                      replay_surroundings const& with,
                                                      replay_options const& how);

}  // namespace linkledger::projections
