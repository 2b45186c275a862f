// The past as one file, from the log alone.

#include "projections/replay.h"

#include "tests/projections/random_story.h"
#include "tests/projections/read_models.h"

#include <filesystem>
#include <fstream>

namespace linkledger::projections {
namespace {

using testing::HasSubstr;

class Replay : public testing::Test {
protected:
    test::told_log log_;
    test::temp_folder folder_;
    replay_options options_;

    void SetUp() override {
        test::tell_random_story(log_.story, 7, 400);
        options_.until = head();
        options_.into = folder_.file("then.db");
        options_.asked = "now";
        options_.program = "test";
    }
    eventlog::position head() { return log_.log->head().value().last; }
    std::unique_ptr<sql::connection> open(std::string const& path) {
        sql::sqlite_options how;
        how.read_only = true;
        return sql::open_sqlite(path, how);
    }
    /// Rows of a table as text, in an order of their own.
    std::vector<std::string> rows_of(sql::connection& in, std::string const& table) {
        std::string columns;
        in.query("SELECT name FROM pragma_table_info($1)", {table},
                 [&](sql::row const& r) { columns += (columns.empty() ? "" : ", ") + r.text(0); });
        auto rows = in.query_all("SELECT json_array(" + columns + ") FROM " + table, {},
                                 [](sql::row const& r) { return r.text(0); });
        std::sort(rows.begin(), rows.end());
        return rows;
    }
    /// How tables and indexes are made, those of SQLite itself by name.
    std::vector<std::string> schema_of(sql::connection& in, std::string const& table) {
        return in.query_all(
            "SELECT name || ' ' || coalesce(sql, '') FROM sqlite_master WHERE tbl_name = $1 ORDER BY name",
            {table}, [](sql::row const& r) { return r.text(0); });
    }
    std::int64_t count(sql::connection& in, std::string const& table) {
        return *in.query_one("SELECT count(*) FROM " + table, {},
                             [](sql::row const& r) { return r.integer(0); });
    }
};

TEST_F(Replay, UntilNowEqualsTheLiveReadModelsTableByTable) {
    test::read_models live{sql::dialect::sqlite};
    catch_up(log_, live);
    auto const done = replay(*log_.log, log_.story.keys(), options_);
    ASSERT_TRUE(done) << done.error().detail;
    EXPECT_GT(done.value().rows, 100);
    auto const file = open(options_.into);
    for (auto const& each : create_all()) {
        if (live.live(std::string{each->name()}).version != each->version()) continue;
        auto const there = live.open(std::string{each->name()});
        for (auto const table : each->tables()) {
            EXPECT_EQ(rows_of(*file, std::string{table}), rows_of(*there, std::string{table})) << table;
            EXPECT_EQ(schema_of(*file, std::string{table}), schema_of(*there, std::string{table})) << table;
        }
    }
    EXPECT_THAT(file->query_all("PRAGMA integrity_check", {}, [](sql::row const& r) { return r.text(0); }),
                testing::ElementsAre("ok"));
    auto const links = "links_v" + std::to_string(live.live("links").version);
    EXPECT_EQ(count(*file, "links"), count(*file, links)) << "views without the version";
    EXPECT_FALSE(std::filesystem::exists(options_.into + ".unfinished"));
    EXPECT_FALSE(std::filesystem::exists(options_.into + "-wal")) << "one file";
}

TEST_F(Replay, ShowsThePastAndSaysWhich) {
    options_.until = head() / 2;
    options_.checkpoint = "linkledger/x/1\n";
    ASSERT_TRUE(replay(*log_.log, log_.story.keys(), options_));
    auto const file = open(options_.into);
    auto const row = file->query_one(
        "SELECT position, asked_for, linkledger, checkpoint, log_id FROM replay", {}, [](sql::row const& r) {
            return std::tuple{r.integer(0), r.text(1), r.text(2), r.text(3), r.id(4)};
        });
    ASSERT_TRUE(row);
    EXPECT_EQ(*row, std::tuple(options_.until, std::string{"now"}, std::string{"test"},
                               std::string{"linkledger/x/1\n"}, log_.log->head().value().log_id));
    auto const newest = file->query_one("SELECT max(position) FROM audit_logs", {},
                                        [](sql::row const& r) { return r.integer(0); });
    EXPECT_LE(*newest, options_.until);
    auto whole = options_;
    whole.until = head();
    whole.into = folder_.file("now.db");
    ASSERT_TRUE(replay(*log_.log, log_.story.keys(), whole));
    EXPECT_GT(count(*open(whole.into), "clicks"), count(*file, "clicks"));
}

TEST_F(Replay, RefusesWhatItWouldSpoil) {
    std::ofstream{options_.into} << "mine";
    auto const over = replay(*log_.log, log_.story.keys(), options_);
    ASSERT_FALSE(over);
    EXPECT_THAT(over.error().detail, HasSubstr("exists already"));

    options_.into = folder_.file("other.db");
    std::filesystem::create_directory(options_.into + ".unfinished");
    std::ofstream{options_.into + ".unfinished/replay.txt"} << "log x epoch 1 until 5\n";
    auto const mixed = replay(*log_.log, log_.story.keys(), options_);
    ASSERT_FALSE(mixed);
    EXPECT_THAT(mixed.error().detail, HasSubstr("another log or position"));

    options_.into = folder_.file("beyond.db");
    options_.until = head() + 1;
    EXPECT_FALSE(replay(*log_.log, log_.story.keys(), options_));
}

TEST_F(Replay, StartsOverAfterTheMachineWas) {
    auto const folder = options_.into + ".unfinished";
    auto const at = log_.log->head().value();
    std::filesystem::create_directory(folder);
    std::ofstream{folder + "/replay.txt"} << "log " << domain::to_string(at.log_id) << " epoch " << at.epoch
                                          << " until " << options_.until << "\nboot another\n";
    std::ofstream{folder + "/read-models.clicks-v1.db"} << "half a page";
    auto const done = replay(*log_.log, log_.story.keys(), options_);
    ASSERT_TRUE(done) << done.error().detail;
    EXPECT_GT(done.value().rows, 100);
}

TEST_F(Replay, FindsThePositionOfATime) {
    eventlog::read_query query;
    query.limit = 10'000;
    auto const events = log_.log->read(query).value().events;
    auto const& some = events[events.size() / 2];
    auto last = some.position;
    for (auto const& event : events)
        if (event.recorded_at <= some.recorded_at) last = event.position;
    EXPECT_EQ(position_at(*log_.log, some.recorded_at).value(), last);
    EXPECT_EQ(position_at(*log_.log, {}).value(), 0);
    EXPECT_EQ(position_at(*log_.log, events.back().recorded_at + std::chrono::hours{1}).value(), head());
}

}  // namespace
}  // namespace linkledger::projections
