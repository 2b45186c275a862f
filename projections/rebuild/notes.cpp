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

void rebuild_notes::create(sql::connection& in, bool lasting) const {
    if (in.dialect() == sql::dialect::sqlite) {
        in.execute(
            "CREATE TABLE " + table_ +
            " (kind INTEGER NOT NULL, number INTEGER NOT NULL, value BLOB NOT NULL, marks BLOB NOT NULL, "
            "PRIMARY KEY (kind, number)) STRICT");
        return;
    }
    in.execute_script(
        std::string{lasting ? "CREATE TABLE " : "CREATE UNLOGGED TABLE "} + table_ +
        " (kind bigint NOT NULL, number bigint NOT NULL, value bytea NOT NULL, marks bytea NOT NULL, "
        "PRIMARY KEY (kind, number)); ALTER TABLE " +
        table_ + " ALTER COLUMN value SET STORAGE EXTERNAL");
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

void rebuild_notes::put(sql::connection& in, kind what, std::int64_t number, std::string value,
                        std::string marks) const {
    // As an array: bytes go in binary form.
    in.execute_values(
        "INSERT INTO " + table_ +
            " (kind, number, value, marks) SELECT column1, column2, column3, column4 FROM {values} AS v",
        {"bigint", "bigint", "bytea", "bytea"},
        {{number_of(what), number, sql::blob{std::move(value)}, sql::blob{std::move(marks)}}});
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

std::string rebuild_notes::marks(sql::connection& in, kind what, std::int64_t number) const {
    return in
        .query_one("SELECT marks FROM " + table_ + " WHERE kind = $1 AND number = $2",
                   {number_of(what), number}, [](sql::row const& r) { return r.bytes(0); })
        .value_or("");
}

std::string rebuild_notes::slice(sql::connection& in, kind what, std::int64_t number, std::int64_t offset,
                                 std::int64_t size) const {
    auto const question =
        in.dialect() == sql::dialect::sqlite
            ? "SELECT substr(value, $3, $4) FROM " + table_ + " WHERE kind = $1 AND number = $2"
            : "SELECT substring(value FROM $3::int FOR $4::int) FROM " + table_ +
                  " WHERE kind = $1 AND number = $2";
    return in
        .query_one(question, {number_of(what), number, offset + 1, size},
                   [](sql::row const& r) { return r.bytes(0); })
        .value_or("");
}

void rebuild_notes::forget(sql::connection& in, kind what) const {
    in.execute("DELETE FROM " + table_ + " WHERE kind = $1", {number_of(what)});
}

void rebuild_notes::drop(sql::connection& in, kind what, std::int64_t number) const {
    in.execute("DELETE FROM " + table_ + " WHERE kind = $1 AND number = $2", {number_of(what), number});
}

}  // namespace linkledger::projections
