// The conformance suite on PostgreSQL.

#include "eventlog/postgres_log.h"
#include "eventlog/sql/connection.h"
#include "tests/conformance/log_conformance.h"
#include "tests/eventlog/postgres_writers.h"
#include "tests/support/postgres_server.h"

#include <stdexcept>
#include <thread>

namespace linkledger::test {
namespace {

class postgres_under_test final : public log_under_test {
public:
    postgres_under_test() : url_(database()) {
        auto const connection = sql::open_postgres({.url = url_});
        connection->execute_script(
            "TRUNCATE events, streams, claims, producers, idempotency, keys;"
            "DELETE FROM log_head; INSERT INTO log_head DEFAULT VALUES");
        reopen();
    }
    [[nodiscard]] std::string const& url() const { return url_; }
    eventlog::event_log& log() override { return *log_; }
    void reopen() override {
        log_.reset();
        eventlog::postgres_log_options options;
        options.url = url_;
        auto opened = eventlog::open_postgres_log(options);
        if (!opened) throw std::runtime_error{opened.error().detail};
        log_ = std::move(opened.value());
    }

private:
    /// One database for all cases, emptied for each: making one takes longer than most of them.
    static std::string const& database() {
        static std::string const url = fresh_migrated_database();
        return url;
    }

    std::string url_;
    std::unique_ptr<eventlog::event_log> log_;
};

log_factory postgres() {
    return {"Postgres", [] { return std::make_unique<postgres_under_test>(); }};
}

TEST(PostgresReads, FindRareTypesFarApart) {
    postgres_under_test store;
    eventlog::event_log& log = store.log();
    eventlog::append_batch batch{eventlog::new_uuid_v7(), 0, {one_event("a")}};
    auto const append = [&](std::string type) {
        ++batch.sequence;
        batch.appends[0].streams[0].events[0].type = std::move(type);
        ASSERT_TRUE(log.append(batch));
    };
    append("rare");
    append("common");
    // As after many events of other types.
    sql::open_postgres({.url = store.url()})->execute("UPDATE log_head SET last_position = 350000");
    append("rare");
    append("common");
    auto const page = log.read({.types = {"rare"}}).value();
    ASSERT_EQ(page.events.size(), 2u);
    EXPECT_EQ(page.events[1].position, 350'001);
    EXPECT_EQ(page.scanned_to, 350'002);
    auto const first = log.read({.limit = 1, .excluded_types = {"common"}}).value();
    ASSERT_EQ(first.events.size(), 1u);
    EXPECT_EQ(first.scanned_to, 1);
}

TEST(PostgresReads, SayNothingOfEventsThatAFailoverLost) {
    postgres_under_test store;
    eventlog::event_log& log = store.log();
    eventlog::append_batch batch{eventlog::new_uuid_v7(), 0, {}};
    for (int i = 0; i < 10; ++i) {
        batch.sequence = i + 1;
        batch.appends = {one_event("a")};
        ASSERT_TRUE(log.append(batch));
    }
    // As on a server that had not heard of the last four.
    auto const other = sql::open_postgres({.url = store.url()});
    other->execute("DELETE FROM events WHERE position > 6");
    other->execute("UPDATE log_head SET last_position = 6, epoch = epoch + 1");
    EXPECT_EQ(log.read({.limit = 5, .types = {"rare"}}).value().scanned_to, 6);
    EXPECT_EQ(log.read({.limit = 5, .excluded_types = {"rare"}}).value().scanned_to, 5);
    EXPECT_EQ(log.read({.after = 4, .limit = 5}).value().scanned_to, 6);
    // A failover breaks connections; then nobody waits for what is gone.
    (void)other->query_all(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
        "current_database() AND pid <> pg_backend_pid()",
        {}, [](sql::row const& r) { return r.boolean(0); });
    auto const until = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (log.wait_beyond(8, std::chrono::milliseconds{1}) && std::chrono::steady_clock::now() < until)
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
    EXPECT_FALSE(log.wait_beyond(8, std::chrono::milliseconds{1}));
}

TEST(PostgresReads, TakePartOfABatchSentAgainForTheWhole) {
    postgres_under_test store;
    eventlog::event_log& log = store.log();
    auto const claimed = [](eventlog::claim_change::kind what) {
        auto append = one_event("link-a");
        append.claims.push_back({what, "code", "spring", "link-a"});
        return append;
    };
    auto const producer = eventlog::new_uuid_v7();
    ASSERT_TRUE(log.append({producer, 1, {claimed(eventlog::claim_change::kind::acquire)}}));
    // A command that gives a claim back, and a click: their outcomes are told one by one.
    auto const click = one_event("clicks-a");
    ASSERT_TRUE(log.append({producer, 2, {claimed(eventlog::claim_change::kind::release), click}}));
    auto const again = log.append({producer, 2, {click}});
    ASSERT_TRUE(again) << again.error().detail;
    EXPECT_TRUE(again.value().resent);
    EXPECT_EQ(log.head().value().last, 3);
}

TEST(PostgresReads, FollowAStreamFromPartitionToPartition) {
    postgres_under_test store;
    auto const connection = sql::open_postgres({.url = store.url()});
    connection->execute("UPDATE log_head SET last_position = 9999999");
    (void)connection->query_one("SELECT log_extend(100)", {}, [](sql::row const& r) { return r.text(0); });
    eventlog::append_batch batch{eventlog::new_uuid_v7(), 0, {one_event("a")}};
    for (int i = 0; i < 3; ++i) {
        ++batch.sequence;
        ASSERT_TRUE(store.log().append(batch));
    }
    auto const partitions = connection->query_one("SELECT count(DISTINCT tableoid) FROM events", {},
                                                  [](sql::row const& r) { return r.integer(0); });
    EXPECT_EQ(partitions, 2);
    auto const all = store.log().read_stream("a", 0, 10).value();
    ASSERT_EQ(all.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(all[i].position, 10'000'000 + static_cast<int>(i));
    EXPECT_EQ(store.log().read_stream("a", 1, 1).value().at(0).version, 2);
}

TEST(PostgresProducers, AreForgottenAndThenRefused) {
    postgres_under_test store;
    eventlog::append_batch once{eventlog::new_uuid_v7(), 1, {one_event("once")}};
    eventlog::append_batch twice{eventlog::new_uuid_v7(), 1, {one_event("twice")}};
    ASSERT_TRUE(store.log().append(once));
    ASSERT_TRUE(store.log().append(twice));
    twice.sequence = 2;
    ASSERT_TRUE(store.log().append(twice));
    auto const connection = sql::open_postgres({.url = store.url()});
    connection->execute("UPDATE producers SET recorded_us = 0");
    store.reopen();
    auto const known = [&] {
        return connection->query_one("SELECT count(*) FROM producers", {},
                                     [](sql::row const& r) { return r.integer(0); });
    };
    auto const outcomes = [&] {
        return connection->query_one("SELECT count(*) FROM producers WHERE cardinality(outcome) > 0", {},
                                     [](sql::row const& r) { return r.integer(0); });
    };
    for (int i = 0; i < 2'000 && (known() != 1 || outcomes() != 0); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
    EXPECT_EQ(known(), 1) << "the one that sent a single batch stays";
    auto const again = store.log().append(once);
    ASSERT_TRUE(again);
    EXPECT_TRUE(again.value().resent) << "that it was stored is still known";
    EXPECT_EQ(std::get<eventlog::appended>(again.value().outcomes.at(0)).last_position, 0);
    EXPECT_EQ(store.log().append(twice).error().code, eventlog::failure_code::corrupted);
    EXPECT_EQ(store.log().head().value().last, 3) << "nothing is written twice";
}

}  // namespace
}  // namespace linkledger::test

LINKLEDGER_LOG_CONFORMANCE(Postgres, postgres());
