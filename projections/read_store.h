#pragma once
// Where read models live: PostgreSQL, or in SQLite one file per projection version beside the log. Which
// version answers reads is a row in `projection_versions` (projections/builds.h).

#include "eventlog/event_log.h"
#include "eventlog/sql/connection.h"
#include "projections/build_id.h"

#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace linkledger::projections {

class projection;

/// A read's snapshot: rows, the position they reflect and the version whose tables they are in, from one
/// transaction.
struct snapshot {
    sql::connection& rows;
    eventlog::position position;
    build_id build;

    /// For queries over tables that have one version so far.
    operator sql::connection&() const { return rows; }
};

/// The version that answers reads is none that this executable knows. A newer one does; what() says so.
class unreadable_version : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The right to write a build's tables, held by one runner at a time in all processes. Given up on
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

    /// A connection of its own for a build's writer (synchronous_commit off, `synchronous=normal`). Its
    /// tables, checkpoint and parked events are found there by their plain names.
    virtual std::unique_ptr<sql::connection> open_writer(std::string const& projection, build_id which) = 0;

    /// The same for what takes long: statements of up to a day.
    virtual std::unique_ptr<sql::connection> open_loader(std::string const& projection, build_id which) = 0;

    /// Null when another runner has it. In PostgreSQL it belongs to `writer`'s session, so that a runner
    /// whose connection is lost cannot go on writing; `writer` must outlive it.
    virtual std::unique_ptr<writer_lock> try_lock(std::string const& projection, build_id which,
                                                  sql::connection& writer) = 0;

    /// A connection to `projection_versions` and `projection_rebuilds`.
    virtual std::unique_ptr<sql::connection> open_control() = 0;
    /// The right to rebuild, switch or drop versions of a projection; as try_lock.
    virtual std::unique_ptr<writer_lock> try_lock_rebuild(std::string const& projection,
                                                          sql::connection& control) = 0;

    /// Makes the tables of a further build of a version, empty and of the same form as those of its first.
    /// Those of the first build come with the migrations. Changes nothing where they are there.
    virtual void make_tables(projection const& of, build_id which) = 0;
    /// Removes the tables of a further build, empties those of the first. Nobody may write them meanwhile.
    virtual void remove_tables(projection const& of, build_id which) = 0;
    /// Bytes on disk, with what an unfinished rebuild notes (rebuild/notes.h).
    virtual std::int64_t disk_bytes(projection const& of, build_id which) = 0;
    /// A folder of this machine for what an unfinished rebuild sorts (rebuild/part_store.h); it need not be
    /// there.
    [[nodiscard]] virtual std::string scratch_folder() const = 0;

    /// Runs `work` in one read-only snapshot of the projection's live version. Throws unreadable_version,
    /// too.
    virtual void read(std::string const& projection, std::function<void(snapshot const&)> const& work) = 0;
    /// The same of one build, live or not.
    virtual void read_build(std::string const& projection, build_id which,
                            std::function<void(snapshot const&)> const& work) = 0;
};

/// SQLite: `db_path` is the log's file, e.g. `data/linkledger.db`; version 1 of `links` is
/// `data/linkledger.links-v1.db`, its second build `data/linkledger.links-v1.2.db`.
[[nodiscard]] std::string read_model_path(std::string const& db_path, std::string const& projection,
                                          build_id which);
/// Whether what is written has to outlive the machine's failure. What is `brief` may be damaged by a power
/// cut, though not by the end of the process: whoever fills it starts over then.
enum class lifetime { lasting, brief };
[[nodiscard]] std::unique_ptr<read_store> create_sqlite_read_store(std::string const& db_path,
                                                                   lifetime rows = lifetime::lasting);
/// `scratch_folder`: empty: one among the machine's temporary files.
[[nodiscard]] std::unique_ptr<read_store> create_postgres_read_store(std::string const& url,
                                                                     std::string scratch_folder = {});

}  // namespace linkledger::projections
