// Databases for read models.

#include "tests/projections/read_models.h"

#include "projections/builds.h"
#include "tests/support/postgres_server.h"

#include <algorithm>
#include <stdexcept>

namespace linkledger::test {

using sql::dialect;

namespace {

/// What is tested here does not concern what a power failure leaves, so nothing waits for the disk.
postgres_server& shared_server() {
    static postgres_server server{{false, {}}};
    return server;
}

/// Databases whose test is over. Making one takes far longer than emptying one.
std::vector<std::string>& free_databases() {
    static std::vector<std::string> urls;
    return urls;
}

/// A migrated database that fresh ones are copied from.
std::string migrated_template() {
    static std::string const name = [] {
        std::string const database = "read_models_template";
        shared_server().create_database(database);
        migrations::up({dialect::postgresql, "", shared_server().url(database)});
        return database;
    }();
    return name;
}

}  // namespace

namespace {

/// A used one looks as if nothing had been run yet: a runner empties the tables before it starts.
std::string take_database() {
    auto& free = free_databases();
    if (free.empty()) return shared_server().fresh_database(migrated_template());
    auto url = std::move(free.back());
    free.pop_back();
    sql::postgres_options options;
    options.url = url;
    sql::open_postgres(options)->execute_script(
        "UPDATE projection_checkpoints SET log_id = NULL, epoch = 0, position = 0;"
        "DELETE FROM projection_rebuilds; DELETE FROM projection_versions;"
        "DO $$ DECLARE s text; BEGIN FOR s IN SELECT nspname FROM pg_namespace WHERE nspname LIKE "
        "'public\\_%' "
        "LOOP EXECUTE format('DROP SCHEMA %I CASCADE', s); END LOOP; END $$");
    return url;
}

}  // namespace

read_models::read_models(sql::dialect which) : dialect_(which), folder_(std::make_unique<temp_folder>()) {
    where_.dialect = which;
    if (which == dialect::sqlite) {
        where_.db_path = folder_->file("linkledger.db");
        migrations::up(where_);
    } else {
        where_.database_url = take_database();
    }
    store_ = open_store();
}

read_models::~read_models() {
    store_.reset();
    if (dialect_ == dialect::postgresql) free_databases().push_back(where_.database_url);
}

std::unique_ptr<projections::read_store> read_models::open_store() const {
    return dialect_ == dialect::sqlite ? projections::create_sqlite_read_store(where_.db_path)
                                       : projections::create_postgres_read_store(where_.database_url);
}

std::unique_ptr<sql::connection> read_models::open(std::string const& projection) {
    return store_->open_writer(projection, live(projection));
}

projections::build_id read_models::live(std::string const& projection) {
    projections::adopt_builds(*store_, projections::create_all());
    auto const control = store_->open_control();
    for (auto const& row : projections::load_builds(*control)) {
        if (row.name == projection) return row.build;
    }
    throw std::runtime_error{"no version is live"};
}

std::vector<std::string> read_models::dump(std::string const& projection) {
    return dump(projection, live(projection));
}

std::vector<std::string> read_models::dump(std::string const& projection, projections::build_id which) {
    auto const all = projections::create_all();
    auto const found = std::find_if(all.begin(), all.end(), [&](auto const& p) {
        return p->name() == projection && p->version() == which.version;
    });
    if (found == all.end()) throw std::runtime_error{"no such projection"};
    auto const connection = store_->open_writer(projection, which);
    std::vector<std::string> lines;
    for (auto const table : (*found)->tables()) {
        std::string const name{table};
        std::string row_text = "t::text";
        if (dialect_ == dialect::sqlite) {
            row_text = "json_array(";
            connection->query("SELECT name FROM pragma_table_info($1)", {name}, [&](sql::row const& r) {
                row_text += (row_text.ends_with('(') ? "t." : ", t.") + r.text(0);
            });
            row_text += ")";
        }
        connection->query("SELECT " + row_text + " FROM " + name + " AS t", {},
                          [&](sql::row const& r) { lines.push_back(name + ": " + r.text(0)); });
    }
    std::sort(lines.begin(), lines.end());
    return lines;
}

std::string first_difference(std::vector<std::string> const& a, std::vector<std::string> const& b) {
    for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
        if (i >= a.size()) return "only in the second: " + b[i];
        if (i >= b.size()) return "only in the first: " + a[i];
        if (a[i] != b[i]) return a[i] + "\n" + b[i];
    }
    return "";
}

projections::runner_options quick_options() {
    projections::runner_options options;
    options.linger = std::chrono::milliseconds{0};
    options.standby_pause = std::chrono::milliseconds{20};
    options.retry_pause_min = std::chrono::milliseconds{5};
    options.retry_pause_max = std::chrono::milliseconds{50};
    return options;
}

bool at_head(projections::runner& runner, eventlog::event_log& log) {
    auto const head = log.head().value().last;
    for (auto const& name : projections::projection_names()) {
        if (!runner.wait_for(name, head, std::chrono::seconds{30})) return false;
    }
    return true;
}

void catch_up(told_log& from, read_models& into, projections::runner_options const& options) {
    projections::runner runner{*from.source, from.story.keys(), into.store(), projections::create_all(),
                               options};
    runner.start();
    if (!at_head(runner, *from.log)) throw std::runtime_error{"the projections did not reach the head"};
    runner.stop();
}

std::string dialect_name(testing::TestParamInfo<sql::dialect> const& info) {
    return info.param == dialect::sqlite ? "Sqlite" : "Postgresql";
}

}  // namespace linkledger::test
