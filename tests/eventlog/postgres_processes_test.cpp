// The PostgreSQL log with writers in several processes, some of them stopped or killed.

#include "eventlog/sql/connection.h"
#include "tests/eventlog/postgres_writers.h"
#include "tests/support/child_process.h"
#include "tests/support/postgres_server.h"

#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <random>

namespace linkledger::test {
namespace {

using namespace eventlog;
using namespace std::chrono_literals;

/// An argument of a hidden test, which another process runs; empty in the test's own process.
std::string child_argument(char const* name) {
    char const* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

/// This executable in another process, running one hidden test with arguments in its environment.
std::unique_ptr<child_process> start_hidden(std::string const& test,
                                            std::vector<std::string> const& arguments) {
    std::vector<std::string> command{"/usr/bin/env"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    command.push_back(std::filesystem::read_symlink("/proc/self/exe").string());
    command.insert(command.end(),
                   {"--gtest_also_run_disabled_tests", "--gtest_brief=1", "--gtest_filter=" + test});
    return std::make_unique<child_process>(command);
}

/// Writes with several threads until it is killed, or for as many rounds as it is told.
TEST(PostgresWriterProcess, DISABLED_Writes) {
    std::string const url = child_argument("LOG_URL");
    if (url.empty()) return;
    auto const log = open_log(url);
    int const rounds = std::stoi(child_argument("ROUNDS"));
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            stubborn_writer writer(*log);
            for (int i = 0; i < rounds; ++i) writer.write({"shared", "own-" + std::to_string(t), "shared"});
        });
    for (auto& each : threads) each.join();
}

std::unique_ptr<child_process> start_writer(std::string const& url, int rounds) {
    return start_hidden("PostgresWriterProcess.DISABLED_Writes",
                        {"LOG_URL=" + url, "ROUNDS=" + std::to_string(rounds)});
}

constexpr int endless = 1'000'000'000;

TEST(PostgresProcesses, ShareOneGaplessOrderWhileSomeAreKilled) {
    std::string const url = fresh_migrated_database();
    auto const log = open_log(url);
    strict_reader reader(*log);
    auto const steady = start_writer(url, 100);
    std::mt19937 random(7);
    for (int round = 0; round < 5; ++round) {
        auto const doomed = start_writer(url, endless);
        position const goal = reader.position() + 300;
        while (reader.position() < goal) {
            log->wait_beyond(reader.position(), 1s);
            ASSERT_TRUE(reader.catch_up());
        }
        std::this_thread::sleep_for(std::chrono::microseconds{random() % 5000});
        doomed->kill();
    }
    EXPECT_EQ(steady->wait(), 0);
    ASSERT_TRUE(reader.catch_up());
    EXPECT_EQ(reader.position(), log->head().value().last);
}

TEST(PostgresProcesses, AStoppedWriterBlocksNobody) {
    std::string const url = fresh_migrated_database();
    auto const log = open_log(url);
    stubborn_writer writer(*log);
    auto const other = start_writer(url, endless);
    log->wait_beyond(0, 10s);
    std::mt19937 random(11);
    for (int round = 0; round < 20; ++round) {
        std::this_thread::sleep_for(std::chrono::microseconds{random() % 4000});
        other->signal(SIGSTOP);
        append_batch const batch{new_uuid_v7(), 1, {one_event("mine")}};
        auto const outcome = log->append(batch);
        EXPECT_TRUE(outcome) << outcome.error().detail;
        EXPECT_TRUE(log->read({.limit = 10}));
        other->signal(SIGCONT);
    }
}

/// Sends the one batch that its producer was given, over and over, without ever telling anybody.
TEST(PostgresWriterProcess, DISABLED_SendsABatchAndIsKilled) {
    std::string const url = child_argument("LOG_URL");
    if (url.empty()) return;
    auto const log = open_log(url);
    append_batch batch{*domain::parse_uuid(child_argument("PRODUCER")), 1, {one_event("killed")}};
    batch.appends[0].streams[0].events[0].event_id = *domain::parse_uuid(child_argument("EVENT"));
    (void)log->append(batch);
    ::raise(SIGKILL);
}

TEST(PostgresProcesses, ABatchOfAKilledWriterIsWrittenOnceWhenSentAgain) {
    std::string const url = fresh_migrated_database();
    auto const log = open_log(url);
    std::mt19937 random(13);
    for (int round = 1; round <= 8; ++round) {
        append_batch batch{new_uuid_v7(), 1, {one_event("killed")}};
        domain::uuid const event_id = batch.appends[0].streams[0].events[0].event_id;
        auto const child = start_hidden(
            "PostgresWriterProcess.DISABLED_SendsABatchAndIsKilled",
            {"LOG_URL=" + url, "PRODUCER=" + to_string(batch.producer), "EVENT=" + to_string(event_id)});
        // Every other one dies at a random moment, the rest after the commit and before telling of it.
        if (round % 2 == 0) {
            std::this_thread::sleep_for(std::chrono::milliseconds{random() % 60});
            child->kill();
        }
        child->wait();
        auto const outcome = log->append(batch);
        ASSERT_TRUE(outcome) << outcome.error().detail;
        EXPECT_TRUE(outcome.value().resent || round % 2 == 0);
        auto const& done = std::get<appended>(outcome.value().outcomes.at(0));
        EXPECT_EQ(done.last_position, round);
        EXPECT_EQ(done.versions, std::vector<version>{round});
    }
    strict_reader reader(*log);
    ASSERT_TRUE(reader.catch_up());
    EXPECT_EQ(reader.position(), 8);
}

TEST(PostgresProcesses, LearnOfEachOthersEvents) {
    std::string const url = fresh_migrated_database();
    auto const reader = open_log(url);
    auto const other = open_log(url);
    stubborn_writer writer(*other);
    for (position at = 0; at < 20; ++at) {
        std::thread waiter([&] { EXPECT_TRUE(reader->wait_beyond(at, 30s)); });
        writer.write({"a"});
        waiter.join();
        EXPECT_EQ(reader->read({.after = at}).value().events.size(), 1u) << "reads are always current";
    }
}

TEST(PostgresProcesses, ReadPastTransactionsThatStayOpen) {
    std::string const url = fresh_migrated_database();
    auto const log = open_log(url);
    // One holds a snapshot and a transaction id in this database, one in another database of the server:
    // both would hide later rows from a log that waits for old transactions.
    auto const here = sql::open_postgres({.url = url});
    auto const elsewhere = sql::open_postgres({.url = shared_postgres().url()});
    for (auto* const each : {here.get(), elsewhere.get()}) {
        each->begin(sql::connection::access::write);
        each->query("SELECT txid_current()", {}, [](sql::row const&) {});
    }
    stubborn_writer writer(*log);
    for (int i = 1; i <= 5; ++i) {
        writer.write({"a", "b"});
        strict_reader reader(*log);
        ASSERT_TRUE(reader.catch_up());
        EXPECT_EQ(reader.position(), 2 * i);
    }
}

}  // namespace
}  // namespace linkledger::test
