#pragma once
// Switching for whoever holds the right to rebuild already.

#include "projections/read_store.h"

#include <string>

namespace linkledger::projections {

/// As switch_version; the caller holds the lock of try_lock_rebuild.
void switch_locked(read_store& store, sql::connection& control, std::string const& name, build_id to);

}  // namespace linkledger::projections
