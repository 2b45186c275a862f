#pragma once
// One portable SQLite file from the files of the read models.

#include "projections/replay.h"

#include <string>
#include <vector>

namespace linkledger::projections {

/// `parts`: files of read models that nobody has open. Makes `to` anew, whatever was there, out of the
/// largest of them, which is gone then, and copies of the others. On the disk on return. Throws sql::error.
[[nodiscard]] replay_outcome make_replay_file(std::vector<std::string> parts, std::string const& to,
                                              eventlog::log_head const& log, replay_options const& options);

/// Sends a folder's entries to the disk.
void sync_folder(std::string const& path);

}  // namespace linkledger::projections
