// sql::connection on SQLite: parameters, rows, sets of values, transactions and errors.

#include "eventlog/sql/connection.h"
#include "tests/support/temp_folder.h"

#include <gtest/gtest.h>

#include <fstream>

namespace linkledger::sql {
namespace {

class SqliteConnection : public testing::Test {
protected:
    test::temp_folder folder_;
    std::string path_ = folder_.file("test.db");
    std::unique_ptr<connection> db_ = open_sqlite(path_, {});

    std::int64_t count(std::string const& table) {
        return *db_->query_one("SELECT count(*) FROM " + table, {},
                               [](row const& r) { return r.integer(0); });
    }
    static error::kind kind_of(std::function<void()> const& work) {
        try {
            work();
        } catch (error const& thrown) {
            return thrown.what_kind();
        }
        ADD_FAILURE() << "nothing was thrown";
        return error::kind::other;
    }
};

TEST_F(SqliteConnection, BindsParametersByNumberWhereverTheyAppear) {
    auto const text =
        db_->query_one("SELECT $2 || '-' || $1 || '-' || $2", {std::string{"a"}, std::string{"b"}},
                       [](row const& r) { return r.text(0); });
    EXPECT_EQ(text, "b-a-b");
}

TEST_F(SqliteConnection, GivesBackWhatWasBound) {
    auto const id = *domain::parse_uuid("0192f0c1-2345-7abc-8def-0123456789ab");
    auto const time = *domain::parse_timestamp("2026-11-21T03:08:19.123456Z");
    std::string const odd{"a\0b\xc3\xa4", 5};
    db_->query("SELECT $1, $2, $3, $4, $5, $6, $7, $8",
               {nullptr, true, std::int64_t{-7}, 1.5, odd, blob{odd}, id, time}, [&](row const& r) {
                   EXPECT_TRUE(r.is_null(0));
                   EXPECT_TRUE(r.boolean(1));
                   EXPECT_EQ(r.integer(2), -7);
                   EXPECT_EQ(r.real(3), 1.5);
                   EXPECT_EQ(r.text(4), odd);
                   EXPECT_EQ(r.bytes(5), odd);
                   EXPECT_EQ(r.id(6), id);
                   EXPECT_EQ(r.time(7), time);
                   EXPECT_EQ(r.text(6), "0192f0c1-2345-7abc-8def-0123456789ab");
                   EXPECT_EQ(r.text(7), "2026-11-21T03:08:19.123456Z");
                   EXPECT_EQ(r.text_or_null(0), std::nullopt);
               });
}

TEST_F(SqliteConnection, KeepsEmptyTextAndBytesApartFromNull) {
    db_->query("SELECT $1, $2", {std::string{}, blob{}}, [](row const& r) {
        EXPECT_EQ(r.text_or_null(0), "");
        EXPECT_FALSE(r.is_null(1));
        EXPECT_EQ(r.bytes(1), "");
    });
}

TEST_F(SqliteConnection, RefusesToReadACellAsAnotherType) {
    auto const read = [&](std::function<void(row const&)> const& how) {
        return kind_of([&] { db_->query("SELECT 'text', NULL", {}, how); });
    };
    EXPECT_EQ(read([](row const& r) { (void)r.integer(0); }), error::kind::other);
    EXPECT_EQ(read([](row const& r) { (void)r.text(1); }), error::kind::other);
    EXPECT_EQ(read([](row const& r) { (void)r.id(0); }), error::kind::other);
    EXPECT_EQ(read([](row const& r) { (void)r.text(2); }), error::kind::other);
}

TEST_F(SqliteConnection, CountsTheRowsThatAStatementChanged) {
    EXPECT_EQ(db_->execute("CREATE TABLE t(a)"), 0);
    EXPECT_EQ(db_->execute("INSERT INTO t VALUES ($1), ($2)", {std::int64_t{1}, std::int64_t{2}}), 2);
    EXPECT_EQ(db_->execute("UPDATE t SET a = a + 1 WHERE a > $1", {std::int64_t{1}}), 1);
    EXPECT_EQ(db_->execute("DELETE FROM t WHERE a > $1", {std::int64_t{9}}), 0);
    EXPECT_EQ(db_->execute("CREATE INDEX i ON t(a)"), 0);
}

TEST_F(SqliteConnection, UpdatesFromASetOfValues) {
    db_->execute_script("CREATE TABLE l(id TEXT PRIMARY KEY, n INTEGER NOT NULL); CREATE TABLE other(a);");
    std::vector<parameters> rows;
    for (int i = 0; i < 1000; ++i) {
        domain::uuid id;
        id.bytes[0] = static_cast<std::uint8_t>(i);
        id.bytes[1] = static_cast<std::uint8_t>(i >> 8);
        rows.push_back({id, std::int64_t{i}});
    }
    EXPECT_EQ(
        db_->execute_values("INSERT INTO l(id, n) SELECT column1, column2 FROM {values} AS d WHERE true "
                            "ON CONFLICT (id) DO UPDATE SET n = l.n + excluded.n",
                            {"uuid", "bigint"}, rows),
        1000);
    EXPECT_EQ(
        db_->execute_values("UPDATE l SET n = l.n + d.column2 FROM {values} AS d WHERE l.id = d.column1",
                            {"uuid", "bigint"}, rows),
        1000);
    auto const sum = db_->query_one("SELECT sum(n) FROM l", {}, [](row const& r) { return r.integer(0); });
    EXPECT_EQ(sum, 2 * 999 * 1000 / 2);
    EXPECT_EQ(db_->execute_values("INSERT INTO other SELECT column1 FROM {values} AS d", {"bigint"}, {}), 0);
}

TEST_F(SqliteConnection, LooksRowsOfAnUpdateUpByTheirKey) {
    db_->execute("CREATE TABLE l(id TEXT PRIMARY KEY, n INTEGER)");
    std::string plan;
    db_->query(
        "EXPLAIN QUERY PLAN UPDATE l SET n = d.column2 FROM linkledger_values AS d WHERE l.id = d.column1",
        {}, [&](row const& r) { plan += r.text(3) + "\n"; });
    EXPECT_NE(plan.find("SEARCH l USING"), std::string::npos) << plan;
}

TEST_F(SqliteConnection, CopiesRowsOrNone) {
    db_->execute("CREATE TABLE t(id INTEGER PRIMARY KEY, \"from\" TEXT, bytes BLOB)");
    db_->copy_rows("t", {"id", "from", "bytes"},
                   {{std::int64_t{1}, std::string{"a"}, blob{"b"}}, {std::int64_t{2}, nullptr, nullptr}});
    EXPECT_EQ(count("t"), 2);
    auto const twice = [&] { db_->copy_rows("t", {"id"}, {{std::int64_t{3}}, {std::int64_t{1}}}); };
    EXPECT_EQ(kind_of(twice), error::kind::constraint);
    EXPECT_EQ(count("t"), 2);
    EXPECT_EQ(kind_of([&] { db_->copy_rows("t", {"id"}, {{}}); }), error::kind::other);
}

TEST_F(SqliteConnection, RollsBackUnlessCommitted) {
    db_->execute("CREATE TABLE t(a)");
    {
        transaction const undone{*db_, connection::access::write};
        db_->execute("INSERT INTO t VALUES (1)");
    }
    EXPECT_EQ(count("t"), 0);
    transaction kept{*db_, connection::access::write};
    db_->execute("INSERT INTO t VALUES (1)");
    kept.commit();
    EXPECT_EQ(count("t"), 1);
}

TEST_F(SqliteConnection, ReadsOneSnapshotWhileAnotherWrites) {
    db_->execute_script("CREATE TABLE t(a); INSERT INTO t VALUES (1);");
    auto const other = open_sqlite(path_, {});
    transaction const snapshot{*db_, connection::access::read};
    EXPECT_EQ(count("t"), 1);
    other->execute("INSERT INTO t VALUES (2)");
    EXPECT_EQ(count("t"), 1);
}

TEST_F(SqliteConnection, TimesOutWhileAnotherHoldsTheWriteLock) {
    db_->execute("CREATE TABLE t(a)");
    sqlite_options impatient;
    impatient.busy_timeout = std::chrono::milliseconds{20};
    auto const other = open_sqlite(path_, impatient);
    transaction const lock{*db_, connection::access::write};
    EXPECT_EQ(kind_of([&] { other->begin(connection::access::write); }), error::kind::timeout);
    EXPECT_TRUE(other->usable());
}

TEST_F(SqliteConnection, TellsConstraintsFromDefectsAndMissingFiles) {
    db_->execute_script("CREATE TABLE t(a PRIMARY KEY); INSERT INTO t VALUES (1);");
    EXPECT_EQ(kind_of([&] { db_->execute("INSERT INTO t VALUES (1)"); }), error::kind::constraint);
    EXPECT_EQ(kind_of([&] { db_->execute("INSERT INTO nowhere VALUES (1)"); }), error::kind::other);
    EXPECT_EQ(kind_of([&] { db_->execute("SELECT $1"); }), error::kind::other);
    EXPECT_EQ(kind_of([&] { db_->execute("SELECT 1; SELECT 2"); }), error::kind::other);
    EXPECT_EQ(kind_of([&] { open_sqlite(folder_.file("no/such/folder.db"), {}); }), error::kind::unavailable);
    EXPECT_TRUE(db_->usable());
}

TEST_F(SqliteConnection, IsUnusableOnceTheFileIsNoDatabase) {
    auto const broken = folder_.file("broken.db");
    std::ofstream{broken} << std::string(8192, 'x');
    EXPECT_EQ(kind_of([&] { open_sqlite(broken, {}); }), error::kind::other);
}

TEST_F(SqliteConnection, RunsTheSameStatementWithinItsOwnRows) {
    db_->execute_script("CREATE TABLE t(a); INSERT INTO t VALUES (1), (2), (3);");
    std::int64_t seen = 0;
    std::string const all = "SELECT a FROM t ORDER BY a";
    db_->query(all, {},
               [&](row const&) { db_->query(all, {}, [&](row const& r) { seen += r.integer(0); }); });
    EXPECT_EQ(seen, 18);
}

TEST_F(SqliteConnection, GoesOnBeyondTheStatementsThatItKeeps) {
    for (int i = 0; i < 600; ++i) {
        auto const found =
            db_->query_one("SELECT " + std::to_string(i), {}, [](row const& r) { return r.integer(0); });
        EXPECT_EQ(found, i);
    }
}

}  // namespace
}  // namespace linkledger::sql
