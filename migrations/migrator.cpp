#include "migrations/migrator.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

namespace linkledger::migrations {

namespace {

namespace fs = std::filesystem;
using access = sql::connection::access;

/// The migration that makes the log's tables; undoing it would destroy what cannot be derived again.
constexpr std::string_view log_migration = "event_log";
constexpr std::string_view log_database = "log";

struct applied_row {
    std::int64_t number = 0;
    std::string name;
    domain::timestamp applied_at{};
    bool dirty = false;
    /// An executable that knows this migration, and those before it, can do with this one there; none: it
    /// cannot.
    std::optional<std::int64_t> works_from;
};

struct recorded {
    std::string database;
    applied_row row;
};

/// The databases of a target: one in PostgreSQL, a file per name in SQLite, opened when first needed.
class databases {
public:
    explicit databases(target const& where) : where_(where), main_(open_main()) {}

    [[nodiscard]] sql::dialect dialect() const { return where_.dialect; }
    [[nodiscard]] sql::connection& main() { return *main_; }

    sql::connection& of(std::string_view database) {
        if (is_main(database)) return *main_;
        auto& slot = others_[std::string{database}];
        if (!slot) slot = open_file(database_path(where_.db_path, database));
        return *slot;
    }

    [[nodiscard]] bool is_main(std::string_view database) const {
        return where_.dialect == sql::dialect::postgresql || database == log_database;
    }

    /// False for a file that nobody made yet.
    [[nodiscard]] bool exists(std::string_view database) const {
        return is_main(database) || fs::exists(database_path(where_.db_path, database));
    }

    /// Waits until no other process migrates; the lock ends with the main connection's transaction.
    void lock() {
        if (where_.dialect != sql::dialect::postgresql) return;  // BEGIN IMMEDIATE is the lock.
        main_->query("SELECT pg_advisory_xact_lock(7813429561042)", {}, [](sql::row const&) {});
    }

private:
    [[nodiscard]] std::unique_ptr<sql::connection> open_main() const {
        if (where_.dialect == sql::dialect::sqlite) {
            auto const folder = fs::path{where_.db_path}.parent_path();
            std::error_code ignored;  // Opening the file gives the error that counts.
            if (!folder.empty()) fs::create_directories(folder, ignored);
            return open_file(where_.db_path);
        }
        sql::postgres_options options;
        options.url = where_.database_url;
        options.lock_timeout = std::chrono::seconds{60};
        options.statement_timeout = std::chrono::minutes{30};
        options.call_timeout = std::chrono::minutes{31};
        return sql::open_postgres(options);
    }

    [[nodiscard]] static std::unique_ptr<sql::connection> open_file(std::string const& path) {
        sql::sqlite_options options;
        options.busy_timeout = std::chrono::seconds{30};
        return sql::open_sqlite(path, options);
    }

    target where_;
    std::unique_ptr<sql::connection> main_;
    std::map<std::string, std::unique_ptr<sql::connection>> others_;
};

std::string label(std::int64_t number, std::string_view name) {
    std::string digits = std::to_string(number);
    digits.insert(0, digits.size() < 6 ? 6 - digits.size() : 0, '0');
    return digits + "_" + std::string{name};
}

/// What a migration says of executables that do not know it: `-- works with executables from: 000009`.
std::optional<std::int64_t> works_from(migration const& m) {
    static constexpr std::string_view mark = "-- works with executables from: ";
    auto const at = m.up.find(mark);
    std::int64_t number = 0;
    if (at == std::string_view::npos) return std::nullopt;
    auto const text = m.up.substr(at + mark.size());
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} ? std::optional{number} : std::nullopt;
}

bool has_column(sql::connection& in, std::string const& table, std::string const& column) {
    std::string const question =
        in.dialect() == sql::dialect::sqlite
            ? "SELECT 1 FROM pragma_table_info($1) WHERE name = $2"
            : "SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname = $2";
    return in.query_one(question, {table, column}, [](sql::row const&) { return true; }).has_value();
}

void make_table(sql::connection& in) {
    in.execute(
        in.dialect() == sql::dialect::sqlite
            ? "CREATE TABLE IF NOT EXISTS schema_migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, "
              "applied_at TEXT NOT NULL, dirty INTEGER NOT NULL) STRICT"
            : "CREATE TABLE IF NOT EXISTS schema_migrations (number bigint PRIMARY KEY, name text NOT NULL, "
              "applied_at timestamptz NOT NULL, dirty boolean NOT NULL)");
    // Tables of before 000010 do not have it.
    if (!has_column(in, "schema_migrations", "works_from"))
        in.execute(in.dialect() == sql::dialect::sqlite
                       ? "ALTER TABLE schema_migrations ADD COLUMN works_from INTEGER"
                       : "ALTER TABLE schema_migrations ADD COLUMN works_from bigint");
}

bool has_table(sql::connection& in, std::string const& table) {
    // Not to_regclass: it would trust a cache that has not heard of a table made while this session waited
    // for its turn.
    std::string const question =
        in.dialect() == sql::dialect::sqlite
            ? "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1"
            : "SELECT 1 FROM pg_tables WHERE schemaname = ANY (current_schemas(false)) AND tablename = $1";
    return in.query_one(question, {table}, [](sql::row const&) { return true; }).has_value();
}

std::vector<applied_row> rows_of(sql::connection& in) {
    if (!has_table(in, "schema_migrations")) return {};
    std::string const last = has_column(in, "schema_migrations", "works_from") ? "works_from" : "NULL";
    return in.query_all(
        "SELECT number, name, applied_at, dirty, " + last + " FROM schema_migrations ORDER BY number", {},
        [](sql::row const& r) {
            return applied_row{r.integer(0), r.text(1), r.time(2), r.boolean(3), r.integer_or_null(4)};
        });
}

/// The names of the databases that this executable has migrations for.
std::set<std::string> known_databases(sql::dialect dialect) {
    if (dialect == sql::dialect::postgresql) return {""};
    std::set<std::string> names{std::string{log_database}};
    for (auto const& each : embedded(dialect)) names.emplace(each.database);
    return names;
}

/// What all databases of the target say was applied, by number.
std::vector<recorded> read_recorded(databases& in) {
    std::vector<recorded> all;
    for (auto const& database : known_databases(in.dialect())) {
        if (!in.exists(database)) continue;
        for (auto& row : rows_of(in.of(database))) all.push_back({database, std::move(row)});
    }
    std::sort(all.begin(), all.end(),
              [](recorded const& a, recorded const& b) { return a.row.number < b.row.number; });
    return all;
}

migration const* find_embedded(sql::dialect dialect, std::int64_t number) {
    for (auto const& each : embedded(dialect))
        if (each.number == number) return &each;
    return nullptr;
}

void refuse_unknown(sql::dialect dialect, std::vector<recorded> const& all) {
    for (auto const& [database, row] : all) {
        auto const* const known = find_embedded(dialect, row.number);
        if (known == nullptr && row.works_from && *row.works_from <= embedded(dialect).back().number)
            continue;
        if (known == nullptr)
            throw migration_error{"the database is newer than this executable: it holds migration " +
                                  label(row.number, row.name) +
                                  ", which this executable does not know. Run a newer linkledger."};
        if (known->name != row.name)
            throw migration_error{"the database holds migration " + label(row.number, row.name) +
                                  " where this executable has " + label(known->number, known->name) +
                                  ". They were built from different histories; use the executable that "
                                  "made the database."};
    }
}

/// The first migration that was not applied yet.
migration const* next_missing(sql::dialect dialect, std::vector<recorded> const& all) {
    for (auto const& each : embedded(dialect)) {
        bool const there = std::any_of(all.begin(), all.end(),
                                       [&](recorded const& r) { return r.row.number == each.number; });
        if (!there) return &each;
    }
    return nullptr;
}

void record(sql::connection& in, migration const& m, bool dirty) {
    auto const now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
    in.execute(
        "INSERT INTO schema_migrations (number, name, applied_at, dirty, works_from) VALUES ($1, $2, $3, $4, "
        "$5)",
        {m.number, sql::bind(m.name), now, dirty, sql::bind(works_from(m))});
}

void forget(sql::connection& in, std::int64_t number) {
    in.execute("DELETE FROM schema_migrations WHERE number = $1", {number});
}

/// Runs `change` in a transaction of the database, which is the locked one itself where that is the main one.
void change_database(databases& in, std::string_view database,
                     std::function<void(sql::connection&)> const& change) {
    auto& connection = in.of(database);
    if (in.is_main(database)) {
        make_table(connection);
        change(connection);
        return;
    }
    sql::transaction own{connection, access::write};
    make_table(connection);
    change(connection);
    own.commit();
}

[[noreturn]] void explain(migration const& m, char const* what, sql::error const& failed) {
    throw sql::error{failed.what_kind(), "migration " + label(m.number, m.name) + what + failed.what()};
}

/// Applies the first missing migration; none when there is none.
migration const* apply_next(databases& in) {
    sql::transaction turn{in.main(), access::write};
    in.lock();
    auto const all = read_recorded(in);
    refuse_unknown(in.dialect(), all);
    auto const* const next = next_missing(in.dialect(), all);
    if (next != nullptr) {
        try {
            change_database(in, next->database, [&](sql::connection& to) {
                to.execute_script(std::string{next->up});
                record(to, *next, false);
            });
        } catch (sql::error const& failed) {
            explain(*next, " failed and was rolled back: ", failed);
        }
    }
    turn.commit();
    return next;
}

void refuse_while_events_exist(sql::connection& in) {
    if (!has_table(in, "events")) return;
    // In PostgreSQL nobody appends between this look and the drop; in SQLite the transaction sees to that.
    if (in.dialect() == sql::dialect::postgresql) in.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE");
    auto const any = in.query_one("SELECT 1 FROM events LIMIT 1", {}, [](sql::row const&) { return true; });
    if (any)
        throw migration_error{
            "the log holds events, which cannot be derived from anything else; its tables stay. Move the "
            "database "
            "away to start over."};
}

/// Undoes the last applied migration; none when there is none.
migration const* undo_last(databases& in) {
    sql::transaction turn{in.main(), access::write};
    in.lock();
    auto const all = read_recorded(in);
    refuse_unknown(in.dialect(), all);
    if (all.empty()) return nullptr;
    auto const* const last = find_embedded(in.dialect(), all.back().row.number);
    if (last == nullptr)
        throw migration_error{"migration " + label(all.back().row.number, all.back().row.name) +
                              " was made by a newer executable; it alone can undo it"};
    if (last->name == log_migration) refuse_while_events_exist(in.main());
    try {
        change_database(in, last->database, [&](sql::connection& from) {
            from.execute_script(std::string{last->down});
            forget(from, last->number);
        });
    } catch (sql::error const& failed) {
        explain(*last, " could not be undone; nothing was changed: ", failed);
    }
    turn.commit();
    return last;
}

bool main_file_exists(target const& where) {
    return where.dialect == sql::dialect::postgresql || fs::exists(where.db_path);
}

}  // namespace

std::string database_path(std::string const& db_path, std::string_view database) {
    if (database == log_database) return db_path;
    fs::path const log{db_path};
    return (log.parent_path() / (log.stem().string() + "." + std::string{database} + ".db")).string();
}

std::vector<migration> up(target const& where, std::function<void(migration const&)> const& applied) {
    databases in{where};
    auto const before = read_recorded(in);
    refuse_unknown(in.dialect(), before);
    if (next_missing(in.dialect(), before) == nullptr) return {};  // Nothing to wait for the lock for.
    std::vector<migration> done;
    while (auto const* const next = apply_next(in)) {
        done.push_back(*next);
        if (applied) applied(*next);
    }
    return done;
}

std::vector<migration> down(target const& where, int steps) {
    if (!main_file_exists(where)) return {};
    databases in{where};
    std::vector<migration> undone;
    while (static_cast<int>(undone.size()) < steps) {
        auto const* const last = undo_last(in);
        if (last == nullptr) break;
        undone.push_back(*last);
    }
    return undone;
}

std::vector<status_line> status(target const& where) {
    std::map<std::int64_t, status_line> lines;
    for (auto const& each : embedded(where.dialect))
        lines[each.number] = {each.number, std::string{each.name}, std::string{each.database}, false, false,
                              {}};
    if (main_file_exists(where)) {
        databases in{where};
        for (auto& [database, row] : read_recorded(in))
            lines[row.number] = {row.number, row.name, database, true, row.dirty, row.applied_at};
    }
    std::vector<status_line> all;
    for (auto& [number, line] : lines) all.push_back(std::move(line));
    return all;
}

void force(target const& where, std::int64_t number) {
    if (number != 0 && find_embedded(where.dialect, number) == nullptr)
        throw migration_error{"there is no migration " + std::to_string(number)};
    databases in{where};
    sql::transaction turn{in.main(), access::write};
    in.lock();
    auto const all = read_recorded(in);
    for (auto const& [database, row] : all)
        if (row.number > number)
            change_database(in, database, [&, n = row.number](sql::connection& from) { forget(from, n); });
    for (auto const& each : embedded(where.dialect)) {
        bool const there = std::any_of(all.begin(), all.end(),
                                       [&](recorded const& r) { return r.row.number == each.number; });
        if (each.number <= number && !there)
            change_database(in, each.database, [&](sql::connection& to) { record(to, each, true); });
    }
    turn.commit();
}

}  // namespace linkledger::migrations
