// Migrations of SQLite files: up, down, status, force, and what is refused.

#include "migrations/migrator.h"
#include "paths.h"
#include "tests/support/read_file.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace linkledger::migrations {
namespace {

using testing::HasSubstr;

class SqliteMigrations : public testing::Test {
protected:
    test::temp_folder folder_;
    target where_{sql::dialect::sqlite, folder_.file("data/linkledger.db"), ""};
    std::span<migration const> const all_ = embedded(sql::dialect::sqlite);

    [[nodiscard]] std::size_t applied_count() const {
        auto const lines = status(where_);
        return static_cast<std::size_t>(
            std::count_if(lines.begin(), lines.end(), [](status_line const& l) { return l.applied; }));
    }
    [[nodiscard]] std::unique_ptr<sql::connection> open(std::string_view database) const {
        return sql::open_sqlite(database_path(where_.db_path, database), {});
    }
    void write_an_event() const {
        open("log")->execute(
            "INSERT INTO events VALUES (1, 1, 1, 0, 0, 1, x'00', NULL, 'link.created', 'link-1', x'00', "
            "x'00', NULL, "
            "NULL, '{}', '{}', x'', x'')");
    }
    static std::string refusal_of(std::function<void()> const& work) {
        try {
            work();
        } catch (migration_error const& refused) {
            return refused.what();
        }
        ADD_FAILURE() << "nothing was refused";
        return {};
    }
};

TEST_F(SqliteMigrations, KeepTheReadModelsInFilesBesideTheLog) {
    EXPECT_EQ(database_path("data/linkledger.db", "log"), "data/linkledger.db");
    EXPECT_EQ(database_path("data/linkledger.db", "links-v1"), "data/linkledger.links-v1.db");
    EXPECT_EQ(database_path("linkledger.db", "clicks-v2"), "linkledger.clicks-v2.db");
}

TEST_F(SqliteMigrations, AreNumberedAndNamed) {
    ASSERT_FALSE(all_.empty());
    EXPECT_EQ(all_.front().number, 1);
    EXPECT_EQ(all_.front().name, "event_log");
    EXPECT_EQ(all_.front().database, "log");
    EXPECT_TRUE(std::is_sorted(all_.begin(), all_.end(),
                               [](auto const& a, auto const& b) { return a.number < b.number; }));
}

TEST_F(SqliteMigrations, AreEmbeddedByteForByte) {
    for (auto const& each : all_) {
        std::string number = std::to_string(each.number);
        number.insert(0, 6 - number.size(), '0');
        auto const stem = LINKLEDGER_SOURCE_DIR "/migrations/sqlite/" + number + "_" + std::string{each.name};
        for (auto const& [path, text] :
             {std::pair{stem + ".up.sql", each.up}, {stem + ".down.sql", each.down}}) {
            EXPECT_EQ(test::read_file(path), text) << path;
        }
    }
}

TEST_F(SqliteMigrations, UpMakesFolderFilesAndTables) {
    std::vector<std::string> told;
    auto const done = up(where_, [&](migration const& m) { told.emplace_back(m.name); });
    EXPECT_EQ(done.size(), all_.size());
    EXPECT_EQ(told.size(), all_.size());
    EXPECT_EQ(open("log")->query_one("SELECT count(*) FROM events", {},
                                     [](sql::row const& r) { return r.integer(0); }),
              0);
    for (auto const& each : all_)
        EXPECT_TRUE(std::filesystem::exists(database_path(where_.db_path, each.database))) << each.name;
}

TEST_F(SqliteMigrations, UpTwiceChangesNothing) {
    up(where_);
    EXPECT_TRUE(up(where_).empty());
}

TEST_F(SqliteMigrations, UpMakesARemovedReadModelAnew) {
    up(where_);
    auto const model =
        std::find_if(all_.begin(), all_.end(), [](auto const& m) { return m.database != "log"; });
    ASSERT_NE(model, all_.end());
    std::filesystem::remove(database_path(where_.db_path, model->database));
    EXPECT_FALSE(up(where_).empty());
    EXPECT_EQ(applied_count(), all_.size());
}

TEST_F(SqliteMigrations, StatusOfAMissingDatabaseListsWhatWouldBeApplied) {
    auto const lines = status(where_);
    ASSERT_EQ(lines.size(), all_.size());
    EXPECT_FALSE(lines.front().applied);
    EXPECT_FALSE(std::filesystem::exists(where_.db_path));
}

TEST_F(SqliteMigrations, StatusSaysWhenEachWasApplied) {
    up(where_);
    for (auto const& line : status(where_)) {
        EXPECT_TRUE(line.applied) << line.name;
        EXPECT_TRUE(line.applied_at.has_value()) << line.name;
        EXPECT_FALSE(line.dirty) << line.name;
    }
}

TEST_F(SqliteMigrations, DownUndoesTheLastStepsAndUpBringsThemBack) {
    up(where_);
    auto const undone = down(where_, 1);
    ASSERT_EQ(undone.size(), 1u);
    EXPECT_EQ(undone.front().number, all_.back().number);
    EXPECT_EQ(applied_count(), all_.size() - 1);
    EXPECT_EQ(up(where_).size(), 1u);
}

TEST_F(SqliteMigrations, DownRemovesAnEmptyLog) {
    up(where_);
    EXPECT_EQ(down(where_, 1000).size(), all_.size());
    EXPECT_EQ(applied_count(), 0u);
    EXPECT_EQ(up(where_).size(), all_.size());
}

TEST_F(SqliteMigrations, DownRefusesToDropALogThatHoldsEvents) {
    up(where_);
    write_an_event();
    EXPECT_THAT(refusal_of([&] { down(where_, 1000); }), HasSubstr("holds events"));
    EXPECT_EQ(applied_count(), 1u) << "the read models are gone, the log stays";
    EXPECT_EQ(open("log")->query_one("SELECT count(*) FROM events", {},
                                     [](sql::row const& r) { return r.integer(0); }),
              1);
}

TEST_F(SqliteMigrations, ADatabaseNewerThanTheExecutableIsRefused) {
    up(where_);
    open("log")->execute(
        "INSERT INTO schema_migrations (number, name, applied_at, dirty) VALUES (999999, 'from_the_future', "
        "'2030-01-01T00:00:00.000000Z', 0)");
    for (auto const& refused : {refusal_of([&] { up(where_); }), refusal_of([&] { down(where_, 1); })}) {
        EXPECT_THAT(refused, HasSubstr("newer than this executable"));
        EXPECT_THAT(refused, HasSubstr("999999_from_the_future"));
    }
    EXPECT_EQ(status(where_).back().name, "from_the_future");
}

TEST_F(SqliteMigrations, ANewerMigrationThatSaysSoIsNoHindrance) {
    up(where_);
    open("log")->execute(
        "INSERT INTO schema_migrations VALUES (999999, 'additive', '2030-01-01T00:00:00.000000Z', 0, $1)",
        {all_.back().number});
    EXPECT_TRUE(up(where_).empty());
    EXPECT_EQ(status(where_).back().name, "additive");
    EXPECT_THAT(refusal_of([&] { down(where_, 1); }), HasSubstr("newer executable"));
    open("log")->execute("UPDATE schema_migrations SET works_from = 999998 WHERE number = 999999");
    EXPECT_THAT(refusal_of([&] { up(where_); }), HasSubstr("newer than this executable"));
}

TEST_F(SqliteMigrations, ADatabaseOfAnotherHistoryIsRefused) {
    up(where_);
    open("log")->execute("UPDATE schema_migrations SET name = 'something_else' WHERE number = 1");
    EXPECT_THAT(refusal_of([&] { up(where_); }), HasSubstr("something_else"));
}

TEST_F(SqliteMigrations, ForceRecordsWithoutRunning) {
    force(where_, all_.back().number);
    EXPECT_EQ(applied_count(), all_.size());
    for (auto const& line : status(where_)) EXPECT_TRUE(line.dirty) << line.name;
    EXPECT_TRUE(up(where_).empty());
    EXPECT_FALSE(open("log")->query_one("SELECT 1 FROM sqlite_master WHERE name = 'events'", {},
                                        [](sql::row const&) { return true; }));
    force(where_, 0);
    EXPECT_EQ(applied_count(), 0u);
    EXPECT_EQ(up(where_).size(), all_.size());
}

TEST_F(SqliteMigrations, ForceForgetsWhatTheExecutableDoesNotKnow) {
    up(where_);
    open("log")->execute(
        "INSERT INTO schema_migrations (number, name, applied_at, dirty) VALUES (999999, 'from_the_future', "
        "'2030-01-01T00:00:00.000000Z', 0)");
    force(where_, all_.back().number);
    EXPECT_TRUE(up(where_).empty());
    EXPECT_THAT(refusal_of([&] { force(where_, 999'999); }), HasSubstr("no migration 999999"));
}

TEST_F(SqliteMigrations, AFailedOneIsRolledBackWholeAndTheRestWaits) {
    std::filesystem::create_directories(folder_.file("data"));
    open("log")->execute("CREATE TABLE claims(in_the_way)");
    EXPECT_THROW(up(where_), sql::error);
    EXPECT_EQ(applied_count(), 0u);
    EXPECT_FALSE(open("log")->query_one("SELECT 1 FROM sqlite_master WHERE name = 'events'", {},
                                        [](sql::row const&) { return true; }));
    open("log")->execute("DROP TABLE claims");
    EXPECT_EQ(up(where_).size(), all_.size());
}

TEST_F(SqliteMigrations, ProcessesThatStartAtOnceTakeTurns) {
    constexpr int processes = 6;
    std::vector<pid_t> children;
    for (int i = 0; i < processes; ++i) {
        pid_t const child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            int failed = 0;
            try {
                up(where_);
            } catch (std::exception const&) {
                failed = 1;
            }
            ::_exit(failed);
        }
        children.push_back(child);
    }
    for (auto const child : children) {
        int code = -1;
        ASSERT_EQ(::waitpid(child, &code, 0), child);
        EXPECT_EQ(code, 0);
    }
    EXPECT_EQ(applied_count(), all_.size());
}

TEST(MigrationFiles, AreCreatedForBothDialectsUnderTheNextNumber) {
    test::temp_folder const folder;
    auto const first = create(folder.path(), "add_colour");
    ASSERT_EQ(first.size(), 4u);
    EXPECT_EQ(first[0], folder.file("sqlite/000001_add_colour.up.sql"));
    EXPECT_EQ(first[3], folder.file("postgres/000001_add_colour.down.sql"));
    auto const second = create(folder.path(), "drop_colour");
    EXPECT_EQ(second[0], folder.file("sqlite/000002_drop_colour.up.sql"));
    EXPECT_EQ(test::read_file(second[0]), "-- database: log\n");
    EXPECT_THROW(create(folder.path(), "../evil"), migration_error);
    // A file that is no migration does not count, and the last number has none behind it.
    std::ofstream{folder.file("sqlite/9223372036854775807_x")};
    EXPECT_THAT(create(folder.path(), "third").front(), HasSubstr("000003_third"));
    std::ofstream{folder.file("sqlite/999999_last.up.sql")};
    EXPECT_THROW(create(folder.path(), "another"), migration_error);
}

}  // namespace
}  // namespace linkledger::migrations
