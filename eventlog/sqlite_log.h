#pragma once
// The event log in one SQLite file (WAL, synchronous=FULL), for any number of processes on one machine.

#include "eventlog/event_log.h"

#include <chrono>
#include <memory>
#include <string>

namespace linkledger::eventlog {

struct sqlite_log_options {
    std::string path;  ///< Of a file that the migrations have brought up.
    /// How long a call waits for another writer's lock, or for a connection to read with.
    std::chrono::milliseconds call_timeout{5'000};
    std::size_t readers_max = 16;
    /// The WAL is copied back into the file once it has this many pages of 4 KiB, by a thread of its own.
    std::size_t checkpoint_pages = 8'192;
    /// Clicks are entered in their index once the log has grown by so many events. Processes may differ in
    /// it.
    std::size_t file_clicks_each = 1'024;
    std::string vfs{};  ///< A registered VFS, for tests; empty: the default.
};

/// Opens the log and makes its head (random log id, epoch 1) when there is none. `unavailable` when the file
/// cannot be opened or was not migrated, `timeout` when others hold its lock.
[[nodiscard]] result<std::unique_ptr<event_log>> open_sqlite_log(sqlite_log_options const& options);

}  // namespace linkledger::eventlog
