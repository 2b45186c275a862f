#include "projections/rebuild/deferred_indexes.h"

namespace linkledger::projections {
namespace {

struct found_index {
    std::string drop;
    std::string make;
};

std::vector<found_index> find_in_sqlite(sql::connection& in, std::string const& table) {
    return in.query_all(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = $1 AND sql IS NOT NULL "
        "ORDER BY rowid",
        {table}, [](sql::row const& r) {
            return found_index{"DROP INDEX " + r.text(0), r.text(1)};
        });
}

/// The definition of a partitioned table's index says ONLY, which would leave the partitions without.
std::vector<found_index> find_in_postgres(sql::connection& in, std::string const& table) {
    auto const name = "format('%I.%I', n.nspname, c.relname)";
    std::string const text =
        std::string{
            "SELECT CASE WHEN k.oid IS NULL THEN format('DROP INDEX %I.%I', n.nspname, x.relname) ELSE "} +
        "format('ALTER TABLE %s DROP CONSTRAINT %I', " + name + ", k.conname) END, " +
        "CASE WHEN k.oid IS NULL THEN replace(pg_get_indexdef(x.oid), ' ON ONLY ', ' ON ') ELSE "
        "format('ALTER TABLE %s ADD CONSTRAINT %I %s', " +
        name + ", k.conname, pg_get_constraintdef(k.oid)) END " +
        "FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid JOIN pg_class AS c ON c.oid = "
        "i.indrelid "
        "JOIN pg_namespace AS n ON n.oid = c.relnamespace LEFT JOIN pg_constraint AS k ON k.conindid = x.oid "
        "WHERE c.oid = to_regclass($1) ORDER BY k.oid IS NULL, x.oid";
    return in.query_all(text, {table}, [](sql::row const& r) { return found_index{r.text(0), r.text(1)}; });
}

}  // namespace

std::vector<std::string> drop_indexes(std::vector<std::string> const& tables, sql::connection& in) {
    std::vector<std::string> made_by;
    for (auto const& table : tables) {
        auto const found =
            in.dialect() == sql::dialect::sqlite ? find_in_sqlite(in, table) : find_in_postgres(in, table);
        for (auto const& index : found) {
            in.execute_script(index.drop);
            made_by.push_back(index.make);
        }
    }
    return made_by;
}

}  // namespace linkledger::projections
