// The PostgreSQL log while its server is killed, stopped, unsafe, or not prepared.

#include "eventlog/sql/connection.h"
#include "migrations/migrator.h"
#include "tests/eventlog/postgres_writers.h"
#include "tests/support/postgres_server.h"

#include <gmock/gmock.h>

#include <atomic>
#include <mutex>

namespace linkledger::test {
namespace {

using namespace eventlog;
using namespace std::chrono_literals;
using testing::HasSubstr;

std::string migrated(postgres_server& server) {
    std::string url = server.fresh_database();
    migrations::up({sql::dialect::postgresql, "", url});
    return url;
}

TEST(PostgresFaults, EveryAcknowledgedEventOutlivesTheServer) {
    postgres_server server;
    auto const log = open_log(migrated(server));
    std::mutex mutex;
    std::vector<domain::uuid> acknowledged;
    std::atomic<bool> stop = false;
    std::vector<std::thread> writers;
    for (int w = 0; w < 3; ++w)
        writers.emplace_back([&, w] {
            stubborn_writer writer(*log);
            while (!stop) {
                writer.write({"a", "b-" + std::to_string(w)});
                std::lock_guard const lock(mutex);
                for (auto const& each : writer.last().appends)
                    acknowledged.push_back(each.streams[0].events[0].event_id);
            }
        });
    for (int round = 0; round < 4; ++round) {
        log->wait_beyond(log->head() ? log->head().value().last + 50 : 0, 500ms);
        server.kill9();
        server.start();
    }
    stop = true;
    for (auto& each : writers) each.join();

    strict_reader reader(*log);
    ASSERT_TRUE(reader.catch_up());
    EXPECT_FALSE(acknowledged.empty());
    for (auto const& each : acknowledged) EXPECT_TRUE(reader.has(each));
    EXPECT_EQ(reader.position(), static_cast<position>(acknowledged.size())) << "an event without a writer";
}

TEST(PostgresFaults, CallsFailInTimeWhileTheServerIsStoppedAndWorkAfterwards) {
    postgres_server server;
    postgres_log_options options;
    options.url = migrated(server);
    options.call_timeout = 1s;
    options.connect_timeout = 2s;
    auto const log = open_log(options);
    ASSERT_TRUE(log->append({new_uuid_v7(), 1, {one_event("a")}}));
    ASSERT_TRUE(log->read({}));

    server.pause();
    append_batch const batch{new_uuid_v7(), 1, {one_event("a")}};
    auto const outcome = log->append(batch);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, failure_code::unknown_outcome);
    EXPECT_FALSE(log->read({}));
    EXPECT_FALSE(log->head());
    auto const again = log->append(batch);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, failure_code::unavailable) << "there is no connection to send it on";

    server.resume();
    auto const sent_again = log->append(batch);
    ASSERT_TRUE(sent_again) << sent_again.error().detail;
    EXPECT_EQ(std::get<appended>(sent_again.value().outcomes.at(0)).last_position, 2);
    EXPECT_EQ(log->read({}).value().events.size(), 2u);
}

TEST(PostgresFaults, ARestartedServerIsFoundAgain) {
    postgres_server server;
    auto const log = open_log(migrated(server));
    stubborn_writer writer(*log);
    writer.write({"a"});
    ASSERT_TRUE(log->head());
    server.stop();
    auto const away = log->append({new_uuid_v7(), 1, {one_event("a")}});
    ASSERT_FALSE(away);
    EXPECT_EQ(away.error().code, failure_code::unavailable);
    EXPECT_EQ(log->head().error().code, failure_code::unavailable);
    server.start();
    writer.write({"a"});
    EXPECT_EQ(log->head().value().last, 2);
}

TEST(PostgresFaults, AHeldLockFailsAppendsWithoutWritingThem) {
    std::string const url = fresh_migrated_database();
    postgres_log_options options;
    options.url = url;
    options.lock_timeout = 100ms;
    auto const log = open_log(options);
    append_batch const batch{new_uuid_v7(), 1, {one_event("a")}};
    {
        auto const holder = sql::open_postgres({.url = url});
        sql::transaction const held(*holder, sql::connection::access::write);
        holder->query("SELECT 1 FROM log_head FOR UPDATE", {}, [](sql::row const&) {});
        auto const outcome = log->append(batch);
        ASSERT_FALSE(outcome);
        EXPECT_EQ(outcome.error().code, failure_code::unavailable);
    }
    auto const outcome = log->append(batch);
    ASSERT_TRUE(outcome) << outcome.error().detail;
    EXPECT_FALSE(outcome.value().resent);
}

std::string refusal_of(postgres_log_options const& options) {
    auto const opened = open_postgres_log(options);
    return opened ? "" : opened.error().detail;
}

TEST(PostgresFaults, AServerWithoutFsyncIsRefusedUnlessAllowed) {
    postgres_server server({.fsync = false});
    postgres_log_options options;
    options.url = migrated(server);
    EXPECT_THAT(refusal_of(options), HasSubstr("fsync = off"));
    EXPECT_THAT(refusal_of(options), HasSubstr("ALLOW_UNSAFE_DATABASE=1"));
    options.allow_unsafe = true;
    EXPECT_EQ(refusal_of(options), "");
}

TEST(PostgresFaults, ADatabaseWithoutSynchronousCommitIsRefused) {
    postgres_log_options options;
    options.url = fresh_migrated_database();
    std::string const name = options.url.substr(options.url.rfind('/') + 1);
    shared_postgres().run_sql("postgres", "ALTER DATABASE \"" + name + "\" SET synchronous_commit = off");
    EXPECT_THAT(refusal_of(options), HasSubstr("synchronous_commit = off"));
}

TEST(PostgresFaults, ADatabaseWithoutTheLogIsRefusedWithAHint) {
    postgres_log_options options;
    options.url = shared_postgres().fresh_database();
    EXPECT_THAT(refusal_of(options), HasSubstr("migrate up"));
}

/// The names of the partitions that hold events, by position.
std::vector<std::string> partitions_in_use(sql::connection& database) {
    return database.query_all(
        "SELECT tableoid::regclass::text, min(position) FROM events GROUP BY 1 ORDER BY 2", {},
        [](sql::row const& r) { return r.text(0); });
}

TEST(PostgresFaults, PartitionsAreMadeAheadOfNeed) {
    std::string const url = fresh_migrated_database();
    auto const database = sql::open_postgres({.url = url});
    auto const extend = [&](std::int64_t size) {
        return database->query_one("SELECT coalesce(log_extend($1), '')", {size},
                                   [](sql::row const& r) { return r.text(0); });
    };
    auto const jump_to = [&](std::int64_t last) {
        database->execute("UPDATE log_head SET last_position = $1", {last});
    };
    EXPECT_EQ(extend(10'000'000), "") << "half of the first one is free";
    jump_to(9'999'998);
    EXPECT_EQ(extend(1'000), "events_p10000001");
    EXPECT_EQ(extend(1'000), "");
    postgres_log_options options;
    options.url = url;
    options.partition_events = 0;
    auto const log = open_log(options);
    stubborn_writer writer(*log);
    writer.write({"a", "a", "a", "a"});
    EXPECT_EQ(partitions_in_use(*database), (std::vector<std::string>{"events_p1", "events_p10000001"}));

    // Nobody made the next one in time.
    jump_to(10'002'000);
    writer.write({"a"});
    EXPECT_EQ(partitions_in_use(*database).back(), "events_default");
    EXPECT_EQ(extend(1'000), "events_p10002501");
    jump_to(10'002'500);
    writer.write({"a"});
    EXPECT_EQ(partitions_in_use(*database).back(), "events_p10002501");
    EXPECT_EQ(log->read({}).value().events.size(), 6u);
    EXPECT_EQ(log->read_stream("a", 0, 100).value().size(), 6u);
}

}  // namespace
}  // namespace linkledger::test
