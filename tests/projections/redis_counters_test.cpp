// Real-time counters in Redis: whatever is lost, killed or restored, Redis says what the table says.

#include "domain/streams.h"
#include "projections/realtime/redis_reader.h"
#include "projections/realtime/redis_writer.h"
#include "tests/projections/read_models.h"
#include "tests/support/redis_server.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

namespace linkledger::projections::realtime {
namespace {

using namespace std::chrono_literals;
using domain::click::clicked;
using test::told;

class RedisCounters : public test::on_both_databases {
protected:
    domain::workspace_id const workspace_{story().id()};
    std::vector<domain::link_id> links_;
    test::redis_server server_;
    std::unique_ptr<redis::client> redis_ = std::make_unique<redis::client>(client_options());
    std::unique_ptr<redis_writer> writer_;
    std::unique_ptr<runner> runner_;

    RedisCounters() {
        for (int i = 0; i < 10; ++i) links_.emplace_back(story().id());
    }
    ~RedisCounters() override {
        runner_.reset();
        writer_.reset();
    }

    redis::client_options client_options() {
        redis::client_options options;
        options.connect = server_.options();
        options.connect.call_timeout = 300ms;
        options.check_pause = 20ms;
        return options;
    }
    redis_writer_options writer_options() {
        redis_writer_options options;
        options.copying.check_pause = 20ms;
        options.copying.rows_per_step = 4;  // Several steps for what ten links hold.
        return options;
    }
    void start() {
        writer_ = std::make_unique<redis_writer>(models_.store(), *redis_, writer_options());
        auto options = test::quick_options();
        options.moved = [this](std::string_view name) {
            if (name == "realtime") writer_->wake();
        };
        runner_ =
            std::make_unique<runner>(*log_.source, story().keys(), models_.store(), create_all(), options);
        runner_->start();
    }
    void click(int times) {
        for (int i = 0; i < times; ++i) {
            auto const& link = links_[static_cast<std::size_t>(clicks_++ * 7 % 10)];
            clicked e;
            e.link_id = link;
            told with;
            with.workspace = workspace_;
            story().tell(domain::clicks_stream_of(link), e, with);
        }
    }
    [[nodiscard]] eventlog::position head() { return log_.log->head().value().last; }

    static bool comes_true(std::function<bool()> const& what) {
        for (auto const until = std::chrono::steady_clock::now() + 30s;
             std::chrono::steady_clock::now() < until; std::this_thread::sleep_for(5ms))
            if (what()) return true;
        return false;
    }
    /// The guard says that Redis is at the head of the log.
    [[nodiscard]] bool is_at_head() {
        try {
            auto const guard = parse_guard(server_.call({"GET", std::string{guard_key}}).text_or_empty());
            return guard && guard->what == redis_guard::state::at && guard->position == head();
        } catch (redis::error const&) {
            return false;
        }
    }
    /// Redis at the head of the log has exactly the table's counters.
    void expect_redis_is_right() {
        ASSERT_TRUE(comes_true([&] { return is_at_head(); }));
        auto const rows =
            models_.read("realtime", [](sql::connection& in) { return changed_counters(in, 0, 1'000); });
        ASSERT_EQ(rows.size(), std::min<std::size_t>(static_cast<std::size_t>(clicks_), 10) + 1);
        std::int64_t total = 0;
        for (auto const& row : rows) {
            auto const key = count_key(row.id, row.is_link);
            EXPECT_EQ(server_.call({"GET", key}).text_or_empty(), std::to_string(row.window.count)) << key;
            auto const left = server_.call({"TTL", key}).integer();
            EXPECT_GT(left, 86'000);
            EXPECT_LE(left, 86'400);
            if (row.is_link) total += row.window.count;
        }
        EXPECT_EQ(total, clicks_);
        auto const keys = server_.call({"KEYS", std::string{key_pattern}}).list();
        EXPECT_EQ(keys.size(), 2 * rows.size() + 1);
    }

    std::int64_t clicks_ = 0;
};
LINKLEDGER_ON_BOTH_DATABASES(RedisCounters);

TEST_P(RedisCounters, AreTheTablesAndExpireWithTheirWindow) {
    start();
    click(25);
    expect_redis_is_right();
    click(3);
    expect_redis_is_right();
}

TEST_P(RedisCounters, AreCopiedWhereTheTableWasThereFirst) {
    click(40);
    catch_up_all();
    start();
    expect_redis_is_right();
}

TEST_P(RedisCounters, AreRightAgainAfterFlushall) {
    start();
    click(25);
    expect_redis_is_right();
    server_.call({"FLUSHALL"});
    expect_redis_is_right();  // Without a click that would tell.
    click(25);
    server_.call({"FLUSHALL"});
    click(1);
    expect_redis_is_right();
}

TEST_P(RedisCounters, AreRightAgainInARedisRestoredFromAnOldSnapshot) {
    start();
    click(15);
    expect_redis_is_right();
    server_.call({"SAVE"});
    click(15);
    expect_redis_is_right();
    server_.kill9();
    click(5);
    server_.start();
    expect_redis_is_right();
}

TEST_P(RedisCounters, AreRightAgainAfterRedisWasAway) {
    start();
    click(10);
    server_.pause();
    click(10);
    std::this_thread::sleep_for(400ms);  // Long enough for a call to time out.
    click(10);
    server_.resume();
    expect_redis_is_right();
    server_.stop();
    click(10);
    server_.start();
    expect_redis_is_right();
}

TEST_P(RedisCounters, AreCountedOnceWhenTwoWritersRun) {
    start();
    redis_writer other{models_.store(), *redis_, writer_options()};
    std::jthread const waker{[&](std::stop_token const& stop) {
        while (!stop.stop_requested()) {
            other.wake();
            std::this_thread::sleep_for(1ms);
        }
    }};
    for (int i = 0; i < 20; ++i) click(10);
    expect_redis_is_right();
}

TEST_P(RedisCounters, OfAnotherLogGiveWay) {
    start();
    auto const stranger = story().id();
    server_.call({"SET", count_key(stranger, true), "7"});
    server_.call(
        {"SET", std::string{guard_key}, to_text({{stranger, 1, 1}, redis_guard::state::at, 1'000'000})});
    click(12);
    expect_redis_is_right();
    EXPECT_TRUE(server_.call({"GET", count_key(stranger, true)}).is_null());
}

TEST_P(RedisCounters, AreReadFromRedisOnlyWhileTheyAreWhole) {
    auto other = log_.log->head().value();
    redis_reader reader{*redis_, other};
    EXPECT_FALSE(reader.find(links_[0].value, true));
    start();
    click(20);
    expect_redis_is_right();
    auto const found = reader.find(links_[0].value, true);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->position, head());
    auto const stored = models_.read("realtime", [&](sql::connection& in) {
        return get_count(
            in, links_[0].value,
            std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now()));
    });
    EXPECT_EQ(found->count, stored);
    EXPECT_EQ(reader.find(workspace_.value, false)->count.count, 20);
    ++other.epoch;
    redis_reader after_a_restore{*redis_, other};
    EXPECT_FALSE(after_a_restore.find(links_[0].value, true));
    other.log_id = story().id();
    redis_reader stranger{*redis_, other};
    EXPECT_FALSE(stranger.find(links_[0].value, true));
    writer_->stop();
    auto guard = *parse_guard(server_.call({"GET", std::string{guard_key}}).text());
    guard.what = redis_guard::state::filling;
    server_.call({"SET", std::string{guard_key}, to_text(guard)});
    EXPECT_FALSE(reader.find(links_[0].value, true));
    server_.stop();
    EXPECT_FALSE(reader.find(links_[0].value, true));
}

/// A projector with its writer as a process, which can be killed.
TEST_P(RedisCounters, AreCountedOnceWhateverIsKilled) {
    if (GetParam() == sql::dialect::postgresql) GTEST_SKIP() << "the server belongs to this process";
    start();
    for (int round = 0; round < 8; ++round) {
        click(20);
        runner_->stop();
        writer_->stop();
        runner_.reset();
        writer_.reset();
        pid_t const child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            // A forked child shares nothing with its parent's threads: all of its own, until it is killed.
            redis::client redis{client_options()};
            auto const store = models_.open_store();
            redis_writer writer{*store, redis, writer_options()};
            auto options = test::quick_options();
            options.only = {"realtime"};
            options.batch_events_max = 3;
            options.moved = [&](std::string_view) { writer.wake(); };
            auto const source = create_log_source(*log_.log);
            runner running{*source, story().keys(), *store, create_all(), options};
            running.start();
            ::pause();
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{5 + 13 * round});
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        start();
        expect_redis_is_right();
    }
}

}  // namespace
}  // namespace linkledger::projections::realtime
