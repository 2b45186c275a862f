// Migrations of PostgreSQL databases: up, down, several processes at once, and what is refused.

#include "migrations/migrator.h"
#include "paths.h"
#include "tests/support/postgres_server.h"
#include "tests/support/read_file.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <thread>

namespace linkledger::migrations {
namespace {

using testing::HasSubstr;

class PostgresMigrations : public testing::Test {
protected:
    target where_{sql::dialect::postgresql, "", test::shared_postgres().fresh_database()};
    std::span<migration const> const all_ = embedded(sql::dialect::postgresql);

    [[nodiscard]] std::unique_ptr<sql::connection> open() const {
        return sql::open_postgres({.url = where_.database_url});
    }
    [[nodiscard]] std::int64_t count(std::string const& sql) const {
        return open()->query_one(sql, {}, [](sql::row const& r) { return r.integer(0); }).value();
    }
    [[nodiscard]] std::size_t applied_count() const {
        auto const lines = status(where_);
        return static_cast<std::size_t>(
            std::count_if(lines.begin(), lines.end(), [](status_line const& l) { return l.applied; }));
    }
    void write_an_event() const {
        open()->execute(
            "INSERT INTO events VALUES (1, 1, 1, 0, 0, 1, gen_random_uuid(), gen_random_uuid(), "
            "gen_random_uuid(),"
            " gen_random_uuid(), 'link-1', 'link.created', '{}', '{}', '', '', '', '')");
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

TEST_F(PostgresMigrations, AreEmbeddedByteForByte) {
    ASSERT_FALSE(all_.empty());
    for (auto const& each : all_) {
        std::string number = std::to_string(each.number);
        number.insert(0, 6 - number.size(), '0');
        auto const path =
            LINKLEDGER_SOURCE_DIR "/migrations/postgres/" + number + "_" + std::string{each.name} + ".up.sql";
        EXPECT_EQ(test::read_file(path), each.up) << path;
    }
}

TEST_F(PostgresMigrations, UpMakesTheTablesOnce) {
    EXPECT_EQ(up(where_).size(), all_.size());
    EXPECT_EQ(count("SELECT count(*) FROM events"), 0);
    EXPECT_TRUE(up(where_).empty());
    EXPECT_EQ(applied_count(), all_.size());
}

TEST_F(PostgresMigrations, EveryDownUndoesItsUp) {
    up(where_);
    for (std::size_t step = 0; step < all_.size(); ++step) EXPECT_EQ(down(where_, 1).size(), 1u);
    EXPECT_EQ(count("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind "
                    "IN ('r', 'p')"
                    " AND relname <> 'schema_migrations'"),
              0);
    EXPECT_EQ(count("SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace"), 0);
    EXPECT_EQ(up(where_).size(), all_.size());
}

TEST_F(PostgresMigrations, DownRefusesToDropALogThatHoldsEvents) {
    up(where_);
    write_an_event();
    EXPECT_THAT(refusal_of([&] { down(where_, 1000); }), HasSubstr("holds events"));
    EXPECT_EQ(count("SELECT count(*) FROM events"), 1);
}

TEST_F(PostgresMigrations, SeveralStartingAtOnceTakeTurns) {
    std::vector<std::thread> starting;
    std::vector<std::size_t> applied(4);
    for (std::size_t i = 0; i < applied.size(); ++i)
        starting.emplace_back([&, i] { applied[i] = up(where_).size(); });
    for (auto& each : starting) each.join();
    std::size_t total = 0;
    for (std::size_t const each : applied) total += each;
    EXPECT_EQ(total, all_.size());
    EXPECT_EQ(applied_count(), all_.size());
}

TEST_F(PostgresMigrations, ADatabaseNewerThanTheExecutableIsRefused) {
    up(where_);
    open()->execute(
        "INSERT INTO schema_migrations (number, name, applied_at, dirty) VALUES (999999, 'from_the_future', "
        "now(), false)");
    EXPECT_THAT(refusal_of([&] { up(where_); }), HasSubstr("newer"));
}

TEST_F(PostgresMigrations, AServerThatIsAwayIsAnErrorOfTheConnection) {
    target const nowhere{sql::dialect::postgresql, "", "postgresql://postgres@127.0.0.1:1/none"};
    EXPECT_THROW(up(nowhere), sql::error);
}

}  // namespace
}  // namespace linkledger::migrations
