// The SQLite log under several processes: writers that race, are stopped and are killed; readers beside them.

#include "eventlog/sqlite_log.h"
#include "migrations/migrator.h"
#include "paths.h"
#include "tests/support/child_process.h"
#include "tests/support/numbered_batches.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>
#include <signal.h>

#include <cstdio>
#include <random>
#include <thread>

namespace linkledger::test {
namespace {

using namespace eventlog;
using namespace std::chrono_literals;
using testing::IsEmpty;

class SqliteProcesses : public testing::Test {
protected:
    SqliteProcesses() { migrations::up({sql::dialect::sqlite, path_, ""}); }

    [[nodiscard]] std::unique_ptr<event_log> open(std::chrono::milliseconds call_timeout = 5000ms) const {
        sqlite_log_options options;
        options.path = path_;
        options.call_timeout = call_timeout;
        auto opened = open_sqlite_log(options);
        if (!opened) throw std::runtime_error{opened.error().detail};
        return std::move(opened.value());
    }

    [[nodiscard]] std::vector<std::string> writer_command(int writer, std::int64_t first,
                                                          std::int64_t batches, int appends) const {
        return {LINKLEDGER_LOG_WRITER,
                "sqlite",
                path_,
                std::to_string(writer),
                std::to_string(first),
                std::to_string(batches),
                std::to_string(appends)};
    }

    /// The next line of a writer as what it was told; none at its end.
    static std::optional<acknowledged_batch> next_acknowledged(child_process& from, int writer, int appends) {
        auto const line = from.read_line();
        if (!line) return std::nullopt;
        long long sequence = 0, first = 0;
        std::sscanf(line->c_str(), "%lld %lld", &sequence, &first);
        return acknowledged_batch{writer, sequence, appends, first};
    }

    temp_folder folder_;
    std::string path_ = folder_.file("linkledger.db");
};

TEST_F(SqliteProcesses, RaceForPositionsAndATailingReaderSeesThemInOrder) {
    constexpr int writers = 4, batches = 60, appends = 9;
    auto const log = open();
    std::vector<std::unique_ptr<child_process>> processes;
    for (int w = 0; w < writers; ++w)
        processes.push_back(std::make_unique<child_process>(writer_command(w, 1, batches, appends)));

    std::vector<recorded_event> seen;
    std::size_t const expected = writers * batches * events_of(numbered_batch(0, 1, appends));
    auto const deadline = std::chrono::steady_clock::now() + 120s;
    position after = 0;
    while (seen.size() < expected && std::chrono::steady_clock::now() < deadline) {
        log->wait_beyond(after, 100ms);
        read_query query;
        query.after = after;
        query.limit = 37;
        auto page = log->read(query);
        ASSERT_TRUE(page) << page.error().detail;
        for (auto& event : page.value().events) seen.push_back(std::move(event));
        after = page.value().scanned_to;
    }
    std::vector<acknowledged_batch> acknowledged;
    for (int w = 0; w < writers; ++w) {
        while (auto const told = next_acknowledged(*processes[static_cast<std::size_t>(w)], w, appends))
            acknowledged.push_back(*told);
        EXPECT_EQ(processes[static_cast<std::size_t>(w)]->wait(), 0);
    }
    log_check const check{seen};
    EXPECT_EQ(check.events(), expected);
    EXPECT_THAT(check.violations(), IsEmpty());
    EXPECT_EQ(acknowledged.size(), std::size_t{writers * batches});
    EXPECT_THAT(check.missing(acknowledged), IsEmpty());
    for (std::string const stream : {"own-1", "shared-3"}) {
        std::vector<recorded_event> of_stream;
        std::copy_if(seen.begin(), seen.end(), std::back_inserter(of_stream),
                     [&](recorded_event const& event) { return event.stream == stream; });
        EXPECT_EQ(log->read_stream(stream, 0, expected).value(), of_stream);
    }
}

TEST_F(SqliteProcesses, ReadWhileAWriteTransactionIsOpen) {
    auto const log = open(1s);
    ASSERT_TRUE(log->append(numbered_batch(1, 1, 3)));
    auto const other = sql::open_sqlite(path_, {});
    sql::transaction open_write{*other, sql::connection::access::write};
    other->execute("UPDATE log_head SET last = 1000");

    EXPECT_EQ(log->head().value().last, 4);
    EXPECT_EQ(log_check{*log}.events(), 4u);
    EXPECT_EQ(log->stream_version("own-1").value(), 2);
    auto const blocked = log->append(numbered_batch(1, 2, 3));
    ASSERT_FALSE(blocked);
    EXPECT_EQ(blocked.error().code, failure_code::timeout);
}

class SqliteStoppedWriter : public SqliteProcesses {
protected:
    /// A writer that stands still within its first commit, with the lock in its hands.
    std::unique_ptr<child_process> start_and_wait_until_stopped() {
        auto command = writer_command(1, 1, 3, 5);
        command.emplace_back("stop-in-commit");
        auto process = std::make_unique<child_process>(command);
        process->wait_until_stopped();
        return process;
    }

    void expect_a_bounded_failure(event_log& log) {
        auto const outcome = log.append(numbered_batch(2, 1, 5));
        ASSERT_FALSE(outcome);
        EXPECT_EQ(outcome.error().code, failure_code::timeout);
        EXPECT_EQ(log.head().value().last, 0) << "what is not committed is not seen";
    }
};

TEST_F(SqliteStoppedWriter, MakesOthersFailInTimeAndGoesOnWhenItIsContinued) {
    auto const log = open(1s);
    auto const stopped = start_and_wait_until_stopped();
    expect_a_bounded_failure(*log);

    stopped->signal(SIGCONT);
    std::vector<acknowledged_batch> acknowledged;
    while (auto const told = next_acknowledged(*stopped, 1, 5)) acknowledged.push_back(*told);
    EXPECT_EQ(stopped->wait(), 0);
    auto const mine = log->append(numbered_batch(2, 1, 5));
    ASSERT_TRUE(mine) << mine.error().detail;
    acknowledged.push_back({2, 1, 5, mine.value().first_position});

    log_check const check{*log};
    EXPECT_EQ(acknowledged.size(), 4u);
    EXPECT_THAT(check.violations(), IsEmpty());
    EXPECT_THAT(check.missing(acknowledged), IsEmpty());
}

TEST_F(SqliteStoppedWriter, LeavesNothingBehindWhenItIsKilled) {
    auto const log = open(1s);
    auto const stopped = start_and_wait_until_stopped();
    expect_a_bounded_failure(*log);

    stopped->kill();
    auto const mine = log->append(numbered_batch(2, 1, 5));
    ASSERT_TRUE(mine) << mine.error().detail;
    EXPECT_EQ(mine.value().first_position, 1);
    // Who takes over sends the batch again under its number.
    ASSERT_TRUE(log->append(numbered_batch(1, 1, 5)));
    log_check const check{*log};
    EXPECT_THAT(check.violations(), IsEmpty());
    EXPECT_EQ(check.last_sequence(1), 1);
}

TEST_F(SqliteProcesses, KilledBetweenWriteAndAnswerLoseNothingAndRepeatNothing) {
    constexpr int kills = 25, appends = 7;
    std::uint64_t const seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random{seed};
    auto const log = open();
    std::vector<acknowledged_batch> acknowledged;
    std::int64_t next = 1;
    for (int kill = 0; kill < kills; ++kill) {
        child_process writer{writer_command(1, next, 1'000'000, appends)};
        // Some batches pass; then it dies wherever it is just now.
        int const passing = std::uniform_int_distribution{1, 6}(random);
        for (int i = 0; i < passing; ++i)
            acknowledged.push_back(next_acknowledged(writer, 1, appends).value());
        std::this_thread::sleep_for(
            std::chrono::microseconds{std::uniform_int_distribution{0, 2000}(random)});
        writer.kill();
        while (auto const told = next_acknowledged(writer, 1, appends)) acknowledged.push_back(*told);
        // Its successor knows what was acknowledged, and sends again what may have been written or not.
        next = acknowledged.back().sequence + 1;
    }
    log_check const check{*log};
    EXPECT_THAT(check.violations(), IsEmpty());
    EXPECT_THAT(check.missing(acknowledged), IsEmpty());
    EXPECT_LE(check.last_sequence(1), next) << "at most one batch was written without an answer";
}

}  // namespace
}  // namespace linkledger::test
