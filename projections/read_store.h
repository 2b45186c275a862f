#pragma once
// Where read models live: PostgreSQL, or in SQLite one file per projection version beside the log.

#include "eventlog/event_log.h"
#include "eventlog/sql/connection.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace linkledger::projections {

/// A read's snapshot: rows, and the position they reflect, from one transaction.
struct snapshot {
    sql::connection& rows;
    eventlog::position position;
};

/// The right to write a projection's tables, held by one runner at a time in all processes. Given up on
/// destruction, and by the operating system or the database when the process dies.
class writer_lock {
public:
    virtual ~writer_lock() = default;
};

/// Safe to call from any thread; keeps a pool of reading connections (16 at most). Calls block and throw
/// sql::error.
class read_store {
public:
    virtual ~read_store() = default;
    [[nodiscard]] virtual sql::dialect dialect() const = 0;

    /// A connection of its own for a projection's writer (synchronous_commit off, `synchronous=normal`).
    virtual std::unique_ptr<sql::connection> open_writer(std::string const& projection, int version) = 0;

    /// Null when another runner has it. In PostgreSQL it belongs to `writer`'s session, so that a runner
    /// whose connection is lost cannot go on writing; `writer` must outlive it.
    virtual std::unique_ptr<writer_lock> try_lock(std::string const& projection, int version,
                                                  sql::connection& writer) = 0;

    /// Runs `work` in one read-only snapshot of the projection's active version.
    virtual void read(std::string const& projection, std::function<void(snapshot const&)> const& work) = 0;
};

/// SQLite: `db_path` is the log's file, e.g. `data/linkledger.db`; version 1 of `links` is
/// `data/linkledger.links-v1.db`.
[[nodiscard]] std::string read_model_path(std::string const& db_path, std::string const& projection,
                                          int version);
[[nodiscard]] std::unique_ptr<read_store> create_sqlite_read_store(std::string const& db_path);
[[nodiscard]] std::unique_ptr<read_store> create_postgres_read_store(std::string const& url);

}  // namespace linkledger::projections
