// Every migration, down and up again, on a database that is full: of a log and of read models.

#include "eventlog/postgres_log.h"
#include "eventlog/sqlite_log.h"
#include "migrations/migrator.h"
#include "projections/builds.h"
#include "tests/projections/random_story.h"
#include "tests/projections/read_models.h"
#include "tests/support/postgres_server.h"

namespace linkledger::projections {
namespace {

using testing::HasSubstr;

class FilledDatabase : public testing::TestWithParam<sql::dialect> {
protected:
    FilledDatabase() {
        where_.dialect = GetParam();
        if (is_sqlite())
            where_.db_path = folder_.file("linkledger.db");
        else
            where_.database_url = test::shared_postgres().fresh_database();
        migrations::up(where_);
        open();
    }
    [[nodiscard]] static bool is_sqlite() { return GetParam() == sql::dialect::sqlite; }

    void open() {
        if (is_sqlite()) {
            eventlog::sqlite_log_options options;
            options.path = where_.db_path;
            log_ = std::move(eventlog::open_sqlite_log(options)).value();
            store_ = create_sqlite_read_store(where_.db_path);
        } else {
            eventlog::postgres_log_options options;
            options.url = where_.database_url;
            options.allow_unsafe = true;
            log_ = std::move(eventlog::open_postgres_log(options)).value();
            store_ = create_postgres_read_store(where_.database_url);
        }
    }
    void close() {
        store_.reset();
        log_.reset();
    }
    void fill(test::history& story) {
        auto const source = create_log_source(*log_);
        runner running{*source, story.keys(), *store_, create_all(), test::quick_options()};
        running.start();
        ASSERT_TRUE(test::at_head(running, *log_));
        running.stop();
    }
    /// Every stored event, byte for byte.
    std::vector<eventlog::recorded_event> events() {
        eventlog::read_query all;
        all.limit = 100'000;
        return log_->read(all).value().events;
    }
    std::vector<std::string> links() {
        std::vector<std::string> lines;
        store_->read("links", [&](snapshot const& now) {
            now.rows.query("SELECT id, total_clicks, unique_clicks FROM links_v2 ORDER BY id", {},
                           [&](sql::row const& r) {
                               lines.push_back(domain::to_string(r.id(0)) + " " +
                                               std::to_string(r.integer(1)) + " " +
                                               std::to_string(r.integer(2)));
                           });
        });
        return lines;
    }

    test::temp_folder folder_;
    migrations::target where_;
    std::unique_ptr<eventlog::event_log> log_;
    std::unique_ptr<read_store> store_;
};
LINKLEDGER_ON_BOTH_DATABASES(FilledDatabase);

TEST_P(FilledDatabase, KeepsItsLogThroughEveryMigrationDownAndUp) {
    auto story = std::make_unique<test::history>(*log_);
    test::tell_random_story(*story, 21, 400);
    fill(*story);
    auto const before = events();
    auto const rows = links();
    ASSERT_GT(before.size(), 300u);
    ASSERT_FALSE(rows.empty());
    auto const count = migrations::embedded(GetParam()).size();
    story.reset();
    close();

    // All but the log's own tables, which cannot be undone while they hold events.
    std::size_t undone = 0;
    for (; undone + 1 < count; ++undone) ASSERT_EQ(migrations::down(where_, 1).size(), 1u);
    EXPECT_THROW(migrations::down(where_, 1), migrations::migration_error);
    EXPECT_EQ(migrations::up(where_).size(), undone);

    open();
    EXPECT_EQ(events(), before);
    test::history again{*log_};
    fill(again);
    EXPECT_EQ(links(), rows) << "the read models come back from the log";
}

}  // namespace
}  // namespace linkledger::projections
