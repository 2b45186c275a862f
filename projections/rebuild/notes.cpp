// The SQL of a rebuild's notes.

#include "projections/rebuild/notes.h"

namespace linkledger::projections {
namespace {

std::int64_t number_of(rebuild_notes::kind what) {
    return static_cast<std::int64_t>(what);
}

}  // namespace

rebuild_notes::rebuild_notes(projection const& of)
    : table_("rebuild_" + std::string{of.name()} + "_v" + std::to_string(of.version())) {}

void rebuild_notes::create(sql::connection& in) const {
    if (in.dialect() == sql::dialect::sqlite) {
        in.execute("CREATE TABLE " + table_ +
                   " (kind INTEGER NOT NULL, number INTEGER NOT NULL, value BLOB NOT NULL, "
                   "PRIMARY KEY (kind, number)) STRICT");
        return;
    }
    in.execute("CREATE TABLE " + table_ +
               " (kind bigint NOT NULL, number bigint NOT NULL, value bytea NOT NULL, "
               "PRIMARY KEY (kind, number))");
}

bool rebuild_notes::exists(sql::connection& in) const {
    auto const question =
        in.dialect() == sql::dialect::sqlite
            ? "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1"
            : "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1";
    return in.query_one(question, {table_}, [](sql::row const&) { return true; }).has_value();
}

void rebuild_notes::remove(sql::connection& in) const {
    in.execute("DROP TABLE IF EXISTS " + table_);
}

void rebuild_notes::put(sql::connection& in, kind what, std::int64_t number, std::string value) const {
    in.execute("INSERT INTO " + table_ + " (kind, number, value) VALUES ($1, $2, $3)",
               {number_of(what), number, sql::blob{std::move(value)}});
}

std::set<std::int64_t> rebuild_notes::numbers(sql::connection& in, kind what) const {
    std::set<std::int64_t> found;
    in.query("SELECT number FROM " + table_ + " WHERE kind = $1", {number_of(what)},
             [&](sql::row const& r) { found.insert(r.integer(0)); });
    return found;
}

std::vector<std::string> rebuild_notes::values(sql::connection& in, kind what) const {
    return in.query_all("SELECT value FROM " + table_ + " WHERE kind = $1 ORDER BY number", {number_of(what)},
                        [](sql::row const& r) { return r.bytes(0); });
}

void rebuild_notes::forget(sql::connection& in, kind what) const {
    in.execute("DELETE FROM " + table_ + " WHERE kind = $1", {number_of(what)});
}

void rebuild_notes::drop(sql::connection& in, kind what, std::int64_t number) const {
    in.execute("DELETE FROM " + table_ + " WHERE kind = $1 AND number = $2", {number_of(what), number});
}

bool rebuild_notes::has(sql::connection& in, kind what, std::int64_t number) const {
    return in
        .query_one("SELECT 1 FROM " + table_ + " WHERE kind = $1 AND number = $2", {number_of(what), number},
                   [](sql::row const&) { return true; })
        .has_value();
}

std::string rebuild_notes::script_once(kind what, std::int64_t number, std::string const& statement) const {
    auto const note = " FROM " + table_ + " WHERE kind = " + std::to_string(number_of(what)) +
                      " AND number = " + std::to_string(number);
    return "DO $once$ BEGIN PERFORM 1" + note + " FOR UPDATE; IF FOUND THEN " + statement + "; DELETE" +
           note + "; END IF; END $once$";
}

}  // namespace linkledger::projections
