#pragma once
// The event log on PostgreSQL: batches by one call of a server-side function, reads by a pool of
// connections, and a listener that wakes who waits for other processes' events.

#include "eventlog/event_log.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace linkledger::eventlog {

struct postgres_log_options {
    std::string url;  ///< A libpq connection string or URL.
    /// Open even where the server would lose acknowledged events in a crash (`fsync`, `full_page_writes` or
    /// `synchronous_commit` is off).
    bool allow_unsafe = false;
    std::size_t readers_max = 8;
    /// Size of the partitions that are made ahead of need; 0: none are made.
    std::int64_t partition_events = 10'000'000;
    std::chrono::milliseconds connect_timeout{5'000};  ///< Whole seconds, 2 at least.
    std::chrono::milliseconds lock_timeout{5'000};
    std::chrono::milliseconds statement_timeout{8'000};
    /// No call waits longer for an answer, not even that of a server that is stopped.
    std::chrono::milliseconds call_timeout{10'000};
};

/// Needs the tables of migrations/postgres/000001_event_log. `unavailable` with a detail for an operator: the
/// server cannot be reached, has no event log, or is unsafe. Afterwards the log reconnects by itself.
result<std::unique_ptr<event_log>> open_postgres_log(postgres_log_options const& options);

}  // namespace linkledger::eventlog
