#include "projections/rewrite.h"

#include "eventlog/sql/connection.h"
#include "projections/read_store.h"
#include "projections/registry.h"

#include <chrono>
#include <filesystem>
#include <thread>
#include <vector>

namespace linkledger::projections {
namespace {

constexpr std::chrono::hours rewriting_max{12};
constexpr std::chrono::minutes others_max{1};
constexpr std::chrono::milliseconds checkpoint_retry_pause{20};

/// While another connection is at a checkpoint SQLite does not wait, but says that it is busy; what the rows
/// were is in the WAL until this is done.
void empty_wal(sql::connection& file, std::string const& path) {
    auto const until = std::chrono::steady_clock::now() + others_max;
    for (;;) {
        auto const busy = file.query_one("PRAGMA wal_checkpoint(TRUNCATE)", {},
                                         [](sql::row const& r) { return r.boolean(0); });
        if (!busy.value_or(true)) return;
        if (std::chrono::steady_clock::now() >= until)
            throw sql::error{sql::error::kind::timeout, "the WAL of " + path + " is in use all the time"};
        std::this_thread::sleep_for(checkpoint_retry_pause);
    }
}

void rewrite_file(std::string const& path) {
    sql::sqlite_options options;
    options.synchronous = sql::sqlite_options::sync::normal;
    options.busy_timeout = others_max;
    auto const file = sql::open_sqlite(path, options);
    file->execute("VACUUM");
    empty_wal(*file, path);
}

/// Every build of every version beside the log.
std::vector<std::string> read_model_files(std::string const& db_path) {
    namespace fs = std::filesystem;
    auto const stem = fs::path{db_path}.stem().string() + ".";
    auto folder = fs::path{db_path}.parent_path();
    if (folder.empty()) folder = ".";
    std::vector<std::string> found;
    for (auto const& entry : fs::directory_iterator{folder}) {
        auto const name = entry.path().filename().string();
        bool const is_model =
            name.starts_with(stem) && name.ends_with(".db") && name.find("-v") != std::string::npos;
        if (is_model) found.push_back(entry.path().string());
    }
    return found;
}

}  // namespace

void rewrite_read_models(std::string const& where, bool on_postgresql) {
    if (!on_postgresql) {
        for (auto const& path : read_model_files(where)) rewrite_file(path);
        return;
    }
    sql::postgres_options options;
    options.url = where;
    options.statement_timeout = options.lock_timeout = options.call_timeout = rewriting_max;
    auto const database = sql::open_postgres(options);
    // Every build of every version, and the months of clicks.
    auto const tables = database->query_all(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = "
        "c.relnamespace WHERE c.relkind = 'r' AND c.relname ~ '_v[0-9]+(_|$)' AND n.nspname NOT LIKE 'pg_%'",
        {}, [](sql::row const& r) { return r.text(0); });
    for (auto const& table : tables) database->execute_script("VACUUM (FULL, ANALYZE) " + table);
    // The planner's statistics hold frequent values of the columns.
    database->execute_script("VACUUM (FULL) pg_statistic");
    database->execute_script("VACUUM (FULL) keys");
    database->execute_script("VACUUM (FULL) idempotency");
    database->execute_script("CHECKPOINT");
}

}  // namespace linkledger::projections
