#pragma once
// Schema migrations, embedded into the executable from sqlite/ and postgres/ (NNNNNN_name.up.sql, .down.sql).
//
// A SQLite migration names its file in its first line: `-- database: log` or `-- database: links-v1`. Each
// database file keeps its own `schema_migrations` table; PostgreSQL has one.

#include "eventlog/sql/connection.h"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace linkledger::migrations {

struct migration {
    std::int64_t number;    ///< NNNNNN
    std::string_view name;  ///< `event_log`
    std::string_view
        database;  ///< `log`, `links-v1`, …; what the projections' files are called after the stem.
    std::string_view up;
    std::string_view down;
};

/// All that this executable carries, by number.
[[nodiscard]] std::span<migration const> embedded(sql::dialect dialect);

/// Where the migrations go.
struct target {
    sql::dialect dialect = sql::dialect::sqlite;
    std::string db_path;       ///< SQLite: the log's file.
    std::string database_url;  ///< PostgreSQL.
};

/// Where SQLite keeps `database` (as the migrations name it): the log's file itself for `log`, a file beside
/// it for the others: of `data/linkledger.db` and `links-v1`, `data/linkledger.links-v1.db`.
[[nodiscard]] std::string database_path(std::string const& db_path, std::string_view database);

struct status_line {
    std::int64_t number = 0;
    std::string name;
    std::string database;
    bool applied = false;
    /// Recorded by `force`, not run: a migration that fails is rolled back whole, so nothing else is dirty.
    bool dirty = false;
    std::optional<domain::timestamp> applied_at;
};

/// A migration cannot or must not be done; `what()` says why and what to do.
class migration_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Applies what is missing, under a lock that makes processes starting at once take turns. Each migration is
/// one transaction. Throws migration_error when the database holds a migration that this executable neither
/// knows nor, by what that migration says of itself, can do with ("newer than this executable"), sql::error
/// when it cannot be reached. Makes the folder of a SQLite database. Returns what this call applied.
std::vector<migration> up(target const& where, std::function<void(migration const&)> const& applied = {});

/// Undoes the last `steps`. Refuses to go below the log's tables while they hold events.
std::vector<migration> down(target const& where, int steps);

[[nodiscard]] std::vector<status_line> status(target const& where);

/// Records `number` (0: none) as the last applied one, without running anything (after mending by hand).
/// Forgets later numbers, also those that this executable does not know.
void force(target const& where, std::int64_t number);

/// Writes empty NNNNNN_name.up.sql and .down.sql for both dialects below `folder`; returns their paths.
std::vector<std::string> create(std::string const& folder, std::string const& name);

}  // namespace linkledger::migrations
