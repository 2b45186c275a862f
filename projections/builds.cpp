// The SQL of projection_versions, and fingerprints.

#include "projections/builds.h"

#include "eventlog/crypto.h"
#include "projections/checkpoint.h"

#include <boost/describe/enum_from_string.hpp>
#include <boost/describe/enum_to_string.hpp>

#include <algorithm>
#include <set>

namespace linkledger::projections {
namespace {

constexpr std::size_t fingerprint_characters = 16;

sql::parameters key_of(std::string const& name, build_id which) {
    return {name, std::int64_t{which.version}, std::int64_t{which.build}};
}

std::string text_of(build_state state) {
    return boost::describe::enum_to_string(state, "");
}

build_row read_row(sql::row const& r) {
    build_row row;
    row.name = r.text(0);
    row.build = {static_cast<int>(r.integer(1)), static_cast<int>(r.integer(2))};
    if (!boost::describe::enum_from_string(r.text(3).c_str(), row.state))
        throw sql::error{sql::error::kind::other, "projection_versions has a state that is unknown here"};
    row.fingerprint = r.text(4);
    return row;
}

std::vector<std::string> describe_columns(sql::connection& in, std::string const& table) {
    auto const text =
        in.dialect() == sql::dialect::sqlite
            ? "SELECT name || ' ' || type || ' ' || \"notnull\" FROM pragma_table_info($1) ORDER BY name"
            : "SELECT attname || ' ' || format_type(atttypid, NULL) || ' ' || attnotnull::int FROM "
              "pg_attribute "
              "WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attname";
    return in.query_all(text, {table}, [](sql::row const& r) { return r.text(0); });
}

/// The versions of one projection, the newest first.
std::vector<projection const*> versions_of(std::span<std::unique_ptr<projection> const> all,
                                           std::string_view name) {
    std::vector<projection const*> versions;
    for (auto const& each : all) {
        if (each->name() == name) versions.push_back(each.get());
    }
    std::sort(versions.begin(), versions.end(),
              [](auto const* a, auto const* b) { return a->version() > b->version(); });
    return versions;
}

void adopt(read_store& store, sql::connection& control, std::vector<projection const*> const& versions) {
    std::string const name{versions.front()->name()};
    projection const* chosen = versions.front();
    for (auto const* each : versions) {
        auto const tables = store.open_writer(name, each->version());
        if (load_checkpoint(*tables, name, each->version()).log_id.is_nil()) continue;
        chosen = each;
        break;
    }
    auto const tables = store.open_writer(name, chosen->version());
    // Another process may be doing the same; then its row stands.
    control.execute(
        "INSERT INTO projection_versions (name, version, build, state, fingerprint, changed_at) "
        "VALUES ($1, $2, 1, 'live', $3, $4) ON CONFLICT DO NOTHING",
        {name, std::int64_t{chosen->version()}, fingerprint_of(*chosen, *tables), eventlog::now()});
}

}  // namespace

std::string fingerprint_of(projection const& of, sql::connection& tables) {
    std::string text;
    for (auto const table : of.tables()) {
        text += "table " + std::string{table} + "\n";
        for (auto const& column : describe_columns(tables, std::string{table})) text += "  " + column + "\n";
    }
    std::set<std::string> types;
    for (auto const type : of.event_types()) types.emplace(type);
    for (auto const& type : types) text += "event " + type + "\n";
    auto const hash = eventlog::sha256(text);
    return eventlog::to_hex(hash).substr(0, fingerprint_characters);
}

std::vector<build_row> load_builds(sql::connection& control) {
    return control.query_all(
        "SELECT name, version, build, state, fingerprint FROM projection_versions "
        "ORDER BY name, CASE WHEN state = 'live' THEN 0 ELSE 1 END, version, build",
        {}, read_row);
}

void add_build(sql::connection& control, build_row const& row) {
    control.execute(
        "INSERT INTO projection_versions (name, version, build, state, fingerprint, changed_at) "
        "VALUES ($1, $2, $3, $4, $5, $6)",
        {row.name, std::int64_t{row.build.version}, std::int64_t{row.build.build}, text_of(row.state),
         row.fingerprint, eventlog::now()});
}

void set_build_state(sql::connection& control, std::string const& name, build_id which, build_state to) {
    auto values = key_of(name, which);
    values.insert(values.begin(), {text_of(to), eventlog::now()});
    control.execute(
        "UPDATE projection_versions SET state = $1, changed_at = $2 WHERE name = $3 AND version = $4 AND "
        "build = $5",
        values);
}

void remove_build(sql::connection& control, std::string const& name, build_id which) {
    control.execute("DELETE FROM projection_versions WHERE name = $1 AND version = $2 AND build = $3",
                    key_of(name, which));
}

void make_live(sql::connection& control, std::string const& name, build_id which) {
    sql::transaction turn{control, sql::connection::access::write};
    control.execute(
        "UPDATE projection_versions SET state = 'kept', changed_at = $1 WHERE name = $2 AND state = 'live'",
        {eventlog::now(), name});
    set_build_state(control, name, which, build_state::live);
    turn.commit();
}

void adopt_builds(read_store& store, std::span<std::unique_ptr<projection> const> projections) {
    auto const control = store.open_control();
    std::set<std::string> known;
    for (auto const& row : load_builds(*control)) known.insert(row.name);
    for (auto const& each : projections) {
        if (known.insert(std::string{each->name()}).second)
            adopt(store, *control, versions_of(projections, each->name()));
    }
    for (auto const& row : load_builds(*control)) {
        auto const versions = versions_of(projections, row.name);
        auto const found = std::find_if(versions.begin(), versions.end(), [&](auto const* each) {
            return each->version() == row.build.version;
        });
        if (found == versions.end() || row.state == build_state::dropping) continue;
        auto const tables = store.open_writer(row.name, row.build.version);
        if (fingerprint_of(**found, *tables) == row.fingerprint) continue;
        throw forgotten_version{
            "projection " + row.name + " v" + std::to_string(row.build.version) +
            " has other columns or event types than what fills its tables. A projection that "
            "changes gets a new version: see migrations/README.md. Run the executable that "
            "the read model was filled by."};
    }
}

}  // namespace linkledger::projections
