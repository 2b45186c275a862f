// The SQL connection on a real PostgreSQL: values there and back, errors told apart, deadlines kept.

#include "eventlog/sql/postgres_connection.h"
#include "tests/support/postgres_server.h"

#include <gtest/gtest.h>

#include <thread>

namespace linkledger {
namespace {

using namespace std::chrono_literals;
using sql::error;

std::unique_ptr<sql::postgres_connection> connect(std::string const& url) {
    sql::postgres_options options;
    options.url = url;
    return sql::open_postgres_connection(options);
}

template <typename Work>
std::optional<error::kind> kind_thrown_by(Work const& work) {
    try {
        work();
    } catch (error const& caught) {
        return caught.what_kind();
    }
    return std::nullopt;
}

/// One database for the tests of this file; each makes temporary tables of its own.
std::string const& database() {
    static std::string const url = test::shared_postgres().fresh_database();
    return url;
}

domain::uuid const some_id = *domain::parse_uuid("01920000-0000-7000-8000-0123456789ab");
domain::timestamp const some_time = domain::from_unix_us(1'795'230'488'123'456);

TEST(PostgresConnection, ReturnsEveryTypeOfValueAsItWasBound) {
    auto const db = connect(database());
    std::string const bytes("\0\xff'\\", 4);
    int rows = 0;
    db->query(
        "SELECT $1::boolean, $2::bigint, $3::double precision, $4::text, $5::bytea, $6::uuid, "
        "$7::timestamptz,"
        " $8::text",
        {true, std::int64_t{-42}, 1.5, std::string{"a'b\\c\tд"}, sql::blob{bytes}, some_id, some_time,
         nullptr},
        [&](sql::row const& r) {
            ++rows;
            EXPECT_TRUE(r.boolean(0));
            EXPECT_EQ(r.integer(1), -42);
            EXPECT_EQ(r.real(2), 1.5);
            EXPECT_EQ(r.text(3), "a'b\\c\tд");
            EXPECT_EQ(r.bytes(4), bytes);
            EXPECT_EQ(r.id(5), some_id);
            EXPECT_EQ(r.time(6), some_time);
            EXPECT_TRUE(r.is_null(7));
            EXPECT_EQ(kind_thrown_by([&] { (void)r.text(7); }), error::kind::other);
            EXPECT_EQ(kind_thrown_by([&] { (void)r.integer(3); }), error::kind::other);
        });
    EXPECT_EQ(rows, 1);
}

char const* const wide_table =
    "CREATE TEMP TABLE wide (id uuid, n bigint, small integer, label varchar(50), body jsonb, at timestamptz,"
    " flag boolean, raw bytea, ratio double precision)";
std::vector<std::string> const wide_columns{"id", "n",    "small", "label", "body",
                                            "at", "flag", "raw",   "ratio"};

std::vector<sql::parameters> wide_rows() {
    std::vector<sql::parameters> rows;
    rows.push_back({some_id, std::int64_t{1} << 40, std::int64_t{7}, std::string{"a \"b\" {c}, \\"},
                    std::string{R"({"k": [1, null]})"}, some_time, true, sql::blob{std::string("\0\1", 2)},
                    0.25});
    rows.push_back({nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr});
    return rows;
}

TEST(PostgresConnection, CopiesRowsOfEveryType) {
    auto const db = connect(database());
    db->execute_script(wide_table);
    db->copy_rows("wide", wide_columns, wide_rows());
    db->copy_rows("wide", wide_columns, wide_rows());
    db->query("SELECT n, small, label, body->'k'->>0, at, flag, raw, ratio FROM wide WHERE id = $1 LIMIT 1",
              {some_id}, [&](sql::row const& r) {
                  EXPECT_EQ(r.integer(0), std::int64_t{1} << 40);
                  EXPECT_EQ(r.integer(1), 7);
                  EXPECT_EQ(r.text(2), "a \"b\" {c}, \\");
                  EXPECT_EQ(r.text(3), "1");
                  EXPECT_EQ(r.time(4), some_time);
                  EXPECT_TRUE(r.boolean(5));
                  EXPECT_EQ(r.bytes(6), std::string("\0\1", 2));
                  EXPECT_EQ(r.real(7), 0.25);
              });
    auto const nulls =
        db->query_one("SELECT count(*) FROM wide WHERE id IS NULL AND label IS NULL AND body IS NULL", {},
                      [](sql::row const& r) { return r.integer(0); });
    EXPECT_EQ(nulls, 2);
}

TEST(PostgresConnection, CopiesManyRowsInOneGoAndNoneWhenOneIsRefused) {
    auto const db = connect(database());
    db->execute_script(
        "CREATE TEMP TABLE many (n bigint PRIMARY KEY, id uuid, small integer, label text, body jsonb, at "
        "timestamptz, flag boolean, raw bytea, ratio double precision)");
    std::vector<std::string> const columns{"n", "id", "small", "label", "body", "at", "flag", "raw", "ratio"};
    std::vector<sql::parameters> rows;
    for (std::int64_t n = 0; n < 5'000; ++n)
        rows.push_back({n, some_id, std::int64_t{7}, std::string{"a\\b\td"},
                        std::string{R"({"k": [1, null]})"}, some_time, true,
                        sql::blob{std::string("\0\1", 2)}, 0.25});
    rows.push_back(
        {std::int64_t{5'000}, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr});
    db->copy_rows("many", columns, rows);
    auto const right = db->query_one(
        "SELECT count(*) FROM many WHERE n < 5000 AND id = $1 AND small = 7 AND label = $2 AND body->'k'->>0 "
        "= "
        "'1' AND at = $3 AND flag AND raw = $4 AND ratio = 0.25",
        {some_id, std::string{"a\\b\td"}, some_time, sql::blob{std::string("\0\1", 2)}},
        [](sql::row const& r) { return r.integer(0); });
    EXPECT_EQ(right, 5'000);
    EXPECT_EQ(kind_thrown_by([&] { db->copy_rows("many", columns, rows); }), error::kind::constraint);
    EXPECT_TRUE(db->usable());
    auto const count =
        db->query_one("SELECT count(*) FROM many", {}, [](sql::row const& r) { return r.integer(0); });
    EXPECT_EQ(count, 5'001);
}

TEST(PostgresConnection, UpdatesFromATableOfValues) {
    auto const db = connect(database());
    db->execute_script(
        "CREATE TEMP TABLE counters (id bigint PRIMARY KEY, total bigint NOT NULL);"
        "INSERT INTO counters SELECT i, 0 FROM generate_series(1, 30000) AS i");
    std::vector<sql::parameters> rows;
    for (std::int64_t i = 1; i <= 25'000; ++i) rows.push_back({i, i * 2});
    std::int64_t const changed = db->execute_values(
        "UPDATE counters AS c SET total = c.total + d.column2 FROM {values} AS d WHERE c.id = d.column1",
        {"bigint", "bigint"}, rows);
    EXPECT_EQ(changed, 25'000);
    auto const sum = db->query_one("SELECT sum(total)::bigint FROM counters", {},
                                   [](sql::row const& r) { return r.integer(0); });
    EXPECT_EQ(sum, 25'000LL * 25'001);
}

TEST(PostgresConnection, KeepsPreparingStatementsBeyondItsLimit) {
    auto const db = connect(database());
    for (int round = 0; round < 2; ++round)
        for (std::int64_t i = 0; i < 300; ++i) {
            auto const found = db->query_one("SELECT $1::bigint + " + std::to_string(i), {std::int64_t{1}},
                                             [](sql::row const& r) { return r.integer(0); });
            ASSERT_EQ(found, i + 1);
        }
}

TEST(PostgresConnection, RollsBackUnlessCommitted) {
    auto const db = connect(database());
    db->execute_script("CREATE TEMP TABLE kept (n bigint)");
    {
        sql::transaction const abandoned(*db, sql::connection::access::write);
        db->execute("INSERT INTO kept VALUES (1)");
    }
    sql::transaction done(*db, sql::connection::access::write);
    db->execute("INSERT INTO kept VALUES (2)");
    done.commit();
    EXPECT_EQ(db->query_all("SELECT n FROM kept", {}, [](sql::row const& r) { return r.integer(0); }),
              std::vector<std::int64_t>{2});
}

TEST(PostgresConnection, RefusesToCommitATransactionThatFailed) {
    auto const db = connect(database());
    db->execute_script("CREATE TEMP TABLE once (n bigint PRIMARY KEY)");
    sql::transaction t(*db, sql::connection::access::write);
    db->execute("INSERT INTO once VALUES (1)");
    EXPECT_EQ(kind_thrown_by([&] { db->execute("INSERT INTO once VALUES (1)"); }), error::kind::constraint);
    EXPECT_EQ(kind_thrown_by([&] { t.commit(); }), error::kind::other);
    EXPECT_EQ(db->query_all("SELECT n FROM once", {}, [](sql::row const& r) { return r.integer(0); }).size(),
              0u);
}

TEST(PostgresConnection, NamesTheKindOfAnErrorWithoutItsValues) {
    auto const db = connect(database());
    db->execute_script("CREATE TEMP TABLE named (n text UNIQUE)");
    db->execute("INSERT INTO named VALUES ($1)", {std::string{"secret"}});
    for (auto const* const statement : {"INSERT INTO named VALUES ($1)", "SELECT $1::bigint"}) {
        try {
            db->execute(statement, {std::string{"secret"}});
            ADD_FAILURE() << "no error from " << statement;
        } catch (error const& caught) {
            EXPECT_EQ(std::string{caught.what()}.find("secret"), std::string::npos) << caught.what();
        }
    }
    EXPECT_EQ(kind_thrown_by([&] { db->execute("SELECT FROM no_such_table"); }), error::kind::other);
    EXPECT_TRUE(db->usable());
}

TEST(PostgresConnection, DoesNotRepeatAConnectionStringThatItCannotUse) {
    try {
        connect("postgresql://u:hunter2@127.0.0.1:badport/db");
        ADD_FAILURE() << "connected";
    } catch (error const& caught) {
        EXPECT_EQ(caught.what_kind(), error::kind::unavailable);
        EXPECT_EQ(std::string{caught.what()}.find("hunter2"), std::string::npos) << caught.what();
    }
}

TEST(PostgresConnection, GivesUpOnALockInTime) {
    std::string const url = test::shared_postgres().fresh_database();
    auto const holder = connect(url);
    holder->execute_script("CREATE TABLE locked (n bigint); INSERT INTO locked VALUES (1)");
    sql::transaction const held(*holder, sql::connection::access::write);
    holder->execute("UPDATE locked SET n = 2");
    sql::postgres_options options;
    options.url = url;
    options.lock_timeout = 50ms;
    auto const waiter = sql::open_postgres(options);
    EXPECT_EQ(kind_thrown_by([&] { waiter->execute("UPDATE locked SET n = 3"); }), error::kind::timeout);
    EXPECT_TRUE(waiter->usable());
}

TEST(PostgresConnection, DeliversNotifications) {
    auto const listener = connect(database());
    listener->listen("greetings");
    auto const speaker = connect(database());
    EXPECT_EQ(listener->await_notification(1ms), std::nullopt);
    speaker->execute("SELECT pg_notify('greetings', '42')");
    EXPECT_EQ(listener->await_notification(10s), "42");
}

TEST(PostgresConnection, DoesNotKnowTheOutcomeOfACallThatTheServerDiedUnder) {
    test::postgres_server server;
    auto const outside = connect(server.url());
    std::thread killer([&] {
        auto const watcher = connect(server.url());
        auto const is_sleeping = [&] {
            return watcher->query_one("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
                                      {}, [](sql::row const& r) { return r.integer(0); }) == 1;
        };
        while (!is_sleeping()) std::this_thread::sleep_for(5ms);
        server.kill9();
    });
    EXPECT_EQ(kind_thrown_by([&] { outside->execute("SELECT pg_sleep(60)"); }), error::kind::unknown_outcome);
    killer.join();
}

TEST(PostgresConnection, ReportsABrokenConnectionAndStaysBroken) {
    test::postgres_server server;
    auto const in_transaction = connect(server.url());
    in_transaction->begin(sql::connection::access::write);
    auto const outside = connect(server.url());
    auto const listener = connect(server.url());
    listener->listen("anything");
    server.kill9();
    EXPECT_EQ(kind_thrown_by([&] { in_transaction->execute("SELECT 1"); }), error::kind::unavailable);
    // Seen to be closed before anything was sent.
    EXPECT_EQ(kind_thrown_by([&] { outside->execute("SELECT 1"); }), error::kind::unavailable);
    EXPECT_EQ(kind_thrown_by([&] { listener->await_notification(10s); }), error::kind::unavailable);
    EXPECT_FALSE(outside->usable());
    EXPECT_EQ(kind_thrown_by([&] { connect(server.url()); }), error::kind::unavailable);
    server.start();
    EXPECT_TRUE(connect(server.url())->usable());
}

TEST(PostgresConnection, FailsByTheDeadlineWhenTheServerIsStopped) {
    test::postgres_server server;
    sql::postgres_options options;
    options.url = server.url();
    options.call_timeout = 1s;
    options.connect_timeout = 2s;
    auto const db = sql::open_postgres(options);
    server.pause();
    EXPECT_EQ(kind_thrown_by([&] { db->execute("SELECT 1"); }), error::kind::unknown_outcome);
    EXPECT_EQ(kind_thrown_by([&] { (void)sql::open_postgres(options); }), error::kind::unavailable);
    server.resume();
    EXPECT_TRUE(sql::open_postgres(options)->usable());
}

}  // namespace
}  // namespace linkledger
