#pragma once
// One portable SQLite file from the files of the read models.

#include "projections/read_store.h"
#include "projections/replay.h"

#include <string>

namespace linkledger::projections {

/// `files`: the path that the read models of `store` lie beside (read_model_path); the live versions are
/// taken. Makes `to` anew, whatever was there. Throws sql::error.
[[nodiscard]] replay_outcome make_replay_file(read_store& store, std::string const& files,
                                              std::string const& to, eventlog::log_head const& log,
                                              replay_options const& options);

}  // namespace linkledger::projections
