// The runner: batches, checkpoints, parked events, locks, waiting, histories that change.

#include "domain/streams.h"
#include "projections/checkpoint.h"
#include "projections/links/links_queries.h"
#include "tests/projections/in_between.h"
#include "tests/projections/random_story.h"
#include "tests/projections/read_models.h"
#include "tests/support/eventually.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <future>
#include <random>
#include <thread>

namespace linkledger::projections {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using test::first_difference;
using test::told_log;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> const names{"accounts", "links", "clicks", "audit_logs", "realtime"};

/// Gets into the way of a source: another history, or none at all.
class troubled_source final : public event_source {
public:
    explicit troubled_source(event_source& behind) : behind_(behind) {}

    eventlog::result<eventlog::log_head> head() override {
        if (away) return eventlog::failure{eventlog::failure_code::unavailable, "away"};
        auto head = behind_.head();
        if (head) head.value().epoch += epochs;
        return head;
    }
    eventlog::result<eventlog::read_page> read(eventlog::read_query const& query) override {
        if (away) return eventlog::failure{eventlog::failure_code::unavailable, "away"};
        return behind_.read(query);
    }
    bool wait_beyond(eventlog::position after, std::chrono::milliseconds deadline) override {
        return !away && behind_.wait_beyond(after, deadline);
    }

    std::atomic<bool> away = false;
    std::atomic<int> epochs = 0;

private:
    event_source& behind_;
};

/// Another projection, with a fault that can be mended.
class faulty final : public test::projection_in_between {
public:
    faulty(std::unique_ptr<projection> behind, std::function<bool(decoded_event const&)> refuses)
        : projection_in_between(std::move(behind)), refuses_(std::move(refuses)) {}
    void apply(event_batch batch, sql::connection& transaction) override {
        projection_in_between::apply(batch, transaction);
        for (auto const* event : batch) {
            if (refuses_(*event)) throw std::runtime_error{"a fault"};
        }
    }

private:
    std::function<bool(decoded_event const&)> refuses_;
};

class Runner : public test::on_both_databases {
protected:
    std::unique_ptr<runner> make(runner_options const& options = test::quick_options()) {
        return std::make_unique<runner>(*log_.source, story().keys(), models_.store(), create_all(), options);
    }
    std::unique_ptr<runner> start(runner_options const& options = test::quick_options()) {
        auto made = make(options);
        made->start();
        return made;
    }
    std::vector<std::string> dump_all(test::read_models& models) {
        std::vector<std::string> lines;
        for (auto const& name : names) {
            for (auto& line : models.dump(name)) lines.push_back(std::move(line));
        }
        return lines;
    }
    eventlog::position head() { return log_.log->head().value().last; }
    domain::link_id create_link(std::string const& code) {
        domain::link::created e;
        e.link_id = {story().id()};
        e.workspace_id = {story().id()};
        e.short_code = code;
        e.url = "https://example.com/";
        story().tell(domain::stream_of(e.link_id), e);
        return e.link_id;
    }
    void click(domain::link_id const& link) {
        domain::click::clicked e;
        e.link_id = link;
        e.personal = domain::click::clicked_personal{"v", {}, {}, {}};
        story().tell(domain::clicks_stream_of(link), e);
    }
    std::optional<links::link_row> get(domain::link_id const& id) {
        return models_.read("links",
                            [&](projections::snapshot const& rows) { return links::get_link(rows, id); });
    }
    static projection_status status_of(runner& of, std::string const& name) {
        for (auto& each : of.status()) {
            if (each.name == name) return each;
        }
        return {};
    }
    /// Polls until `holds` does; the deadline only ends a test that fails.
};
LINKLEDGER_ON_BOTH_DATABASES(Runner);

TEST_P(Runner, GivesTheSameRowsHoweverEventsAreCutIntoBatches) {
    for (std::uint32_t seed = 1; seed <= 3; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        told_log log;
        test::tell_random_story(log.story, seed, 400);
        std::vector<std::vector<std::string>> dumps;
        for (std::size_t const size : {1u, 7u, 2000u}) {
            test::read_models models{GetParam()};
            auto options = test::quick_options();
            options.batch_events_max = size;
            test::catch_up(log, models, options);
            dumps.push_back(dump_all(models));
            for (auto const& name : names)
                EXPECT_THAT(load_parked(*models.open(name), name, models.live(name).version), IsEmpty());
        }
        EXPECT_GT(dumps[0].size(), 300u);
        EXPECT_EQ(first_difference(dumps[0], dumps[1]), "");
        EXPECT_EQ(first_difference(dumps[0], dumps[2]), "");
    }
}

TEST_P(Runner, RebuildsWhatItHadWhenTheLogsEpochChanges) {
    test::tell_random_story(story(), 7, 300);
    troubled_source source{*log_.source};
    catch_up_all();
    auto const before = dump_all(models_);

    source.epochs = 1;
    runner again{source, story().keys(), models_.store(), create_all(), test::quick_options()};
    auto const all_rebuilt = [&](std::uint64_t times) {
        auto const all = again.status();
        return std::all_of(all.begin(), all.end(), [&](auto const& each) {
            return each.rebuilds == times && each.position == head();
        });
    };
    again.start();
    ASSERT_TRUE(eventually([&] { return all_rebuilt(1); }));
    // Also while it runs.
    source.epochs = 2;
    ASSERT_TRUE(eventually([&] { return all_rebuilt(2); }));
    again.stop();
    EXPECT_EQ(first_difference(dump_all(models_), before), "");
    EXPECT_EQ(load_checkpoint(*models_.open("links"), "links", 2).epoch, 3);
}

TEST_P(Runner, LosesAndRepeatsNothingWhenItIsKilled) {
    test::tell_random_story(story(), 11, 1500);
    auto options = test::quick_options();
    options.batch_events_max = 2;  // A few of them make a batch while it is behind.
    std::mt19937 random{11};
    int kills_on_the_way = 0;
    for (int round = 0; round < 12; ++round) {
        pid_t const child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            // The log in memory was copied with the process; the databases are shared.
            auto const store = models_.open_store();
            runner running{*log_.source, story().keys(), *store, create_all(), options};
            running.start();
            ::_exit(test::at_head(running, *log_.log) ? 0 : 1);
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{30 + random() % 100});
        ::kill(child, SIGKILL);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        if (WIFSIGNALED(status)) ++kills_on_the_way;
    }
    EXPECT_GT(kills_on_the_way, 0);
    catch_up_all();

    test::read_models undisturbed{GetParam()};
    test::catch_up(log_, undisturbed);
    EXPECT_EQ(first_difference(dump_all(models_), dump_all(undisturbed)), "");
}

TEST_P(Runner, MovesCheckpointsOfProjectionsThatHaveNothingToDo) {
    auto const running = start();
    click(create_link("abc"));
    for (auto const& name : names) EXPECT_TRUE(running->wait_for(name, head(), 30s));
    for (auto const& name : names) {
        EXPECT_EQ(load_checkpoint(*models_.open(name), name, models_.live(name).version).position, head());
        auto const status = status_of(*running, name);
        EXPECT_EQ(status.position, head());
        EXPECT_EQ(status.lag_events, 0);
        EXPECT_EQ(status.lag_seconds, 0);
    }
}

TEST_P(Runner, ParksAnEventThatCannotBeAppliedAndLaterOnesOfItsAggregate) {
    std::atomic<bool> broken = true;
    auto const poison = create_link("poison");
    auto const healthy = create_link("healthy");
    std::vector<std::unique_ptr<projection>> all;
    for (auto& each : create_all()) {
        if (each->name() != "links") continue;
        all.push_back(std::make_unique<faulty>(std::move(each), [&](decoded_event const& event) {
            auto const* created = std::get_if<domain::link::created>(&event.event);
            return broken && created != nullptr && created->short_code == "poison";
        }));
    }
    for (int i = 0; i < 5; ++i) {
        click(poison);
        click(healthy);
    }
    auto options = test::quick_options();
    options.parked_retry_pause = 1h;
    runner running{*log_.source, story().keys(), models_.store(), std::move(all), options};
    running.start();
    ASSERT_TRUE(running.wait_for("links", head(), 30s));
    EXPECT_EQ(get(healthy)->total_clicks, 5);
    EXPECT_EQ(get(poison), std::nullopt);
    EXPECT_EQ(status_of(running, "links").parked, 6);
    auto const parked = load_parked(*models_.open("links"), "links", 2);
    ASSERT_EQ(parked.size(), 6u);
    EXPECT_EQ(parked[0].position, 1);
    EXPECT_THAT(parked[0].error, HasSubstr("a fault"));
    EXPECT_THAT(parked[1].error, HasSubstr("waits"));

    click(poison);
    ASSERT_TRUE(running.wait_for("links", head(), 30s));
    EXPECT_EQ(status_of(running, "links").parked, 7);

    broken = false;
    running.retry_parked();
    ASSERT_TRUE(eventually([&] { return status_of(running, "links").parked == 0; }));
    EXPECT_EQ(get(poison)->total_clicks, 6);
    EXPECT_EQ(get(poison)->unique_clicks, 1);
    running.stop();
}

TEST_P(Runner, ParksWhatDoesNotDecode) {
    story().tell_garbage("link-bad", "link.created");
    story().tell_garbage("something", "unheard.of");
    auto const link = create_link("good");
    auto const running = start();
    ASSERT_TRUE(test::at_head(*running, *log_.log));
    EXPECT_TRUE(get(link));
    EXPECT_EQ(status_of(*running, "links").parked, 1);
    EXPECT_EQ(status_of(*running, "audit_logs").parked, 1);
    EXPECT_EQ(status_of(*running, "clicks").parked, 0);
}

TEST_P(Runner, StopsMovingWhenAProjectionIsAtFaultRatherThanAnEvent) {
    for (int i = 0; i < 20; ++i) create_link("c" + std::to_string(i));
    std::vector<std::unique_ptr<projection>> all;
    for (auto& each : create_all()) {
        if (each->name() == "links")
            all.push_back(
                std::make_unique<faulty>(std::move(each), [](decoded_event const&) { return true; }));
    }
    auto options = test::quick_options();
    options.parked_max = 5;
    runner running{*log_.source, story().keys(), models_.store(), std::move(all), options};
    running.start();
    ASSERT_TRUE(eventually([&] { return status_of(running, "links").failures > 1; }));
    auto const status = status_of(running, "links");
    EXPECT_EQ(status.position, 5);
    EXPECT_EQ(status.parked, 5);
    EXPECT_THAT(status.last_error.value_or(""), HasSubstr("too many"));
    running.stop();
}

TEST_P(Runner, LetsAnotherStandByAndTakeOver) {
    auto const link = create_link("abc");
    auto first = start();
    ASSERT_TRUE(test::at_head(*first, *log_.log));
    auto const other_store = models_.open_store();
    runner second{*log_.source, story().keys(), *other_store, create_all(), test::quick_options()};
    second.start();
    ASSERT_TRUE(eventually([&] { return status_of(second, "links").state == projection_state::standby; }));
    click(link);
    // The one that stands by sees what the other one writes.
    EXPECT_TRUE(second.wait_for("links", head(), 30s));
    EXPECT_EQ(status_of(second, "links").position, head());
    first->stop();
    click(link);
    EXPECT_TRUE(second.wait_for("links", head(), 30s));
    ASSERT_TRUE(eventually([&] { return status_of(second, "links").state == projection_state::live; }));
    second.stop();
    EXPECT_EQ(get(link)->total_clicks, 2);
}

TEST_P(Runner, WaitsForProjectionsThatRunElsewhere) {
    auto options = test::quick_options();
    options.run = false;
    auto const follower = start(options);
    EXPECT_EQ(status_of(*follower, "links").state, projection_state::elsewhere);
    create_link("abc");
    EXPECT_FALSE(follower->wait_for("links", head(), 1ms));
    auto const running = start();
    EXPECT_TRUE(follower->wait_for("links", head(), 30s));
    EXPECT_EQ(status_of(*follower, "links").position, head());
}

TEST_P(Runner, AnswersManyWaitersOnceEach) {
    auto const running = start();
    std::atomic<int> reached = 0, missed = 0, calls = 0;
    constexpr int waiters = 500;
    std::promise<void> all;
    auto const done = [&](bool yes) {
        ++(yes ? reached : missed);
        if (++calls == 2 * waiters) all.set_value();
    };
    for (int i = 0; i < waiters; ++i) {
        running->when_at("links", 1 + i % 10, 30s, done);
        running->when_at("links", 1'000'000, 1ms, done);
    }
    for (int i = 0; i < 10; ++i) create_link("c" + std::to_string(i));
    ASSERT_EQ(all.get_future().wait_for(60s), std::future_status::ready);
    EXPECT_EQ(reached, waiters);
    EXPECT_EQ(missed, waiters);
    EXPECT_FALSE(running->wait_for("nothing", 1, 30s));
}

TEST_P(Runner, AnswersWaitersWhenItStops) {
    auto const running = start();
    auto answer = std::async(std::launch::async, [&] { return running->wait_for("links", 99, 1h); });
    std::this_thread::sleep_for(20ms);
    running->stop();
    EXPECT_FALSE(answer.get());
    EXPECT_FALSE(running->wait_for("links", 99, 1h));
}

TEST_P(Runner, AppliesNothingWhilePaused) {
    auto const running = start();
    auto const link = create_link("abc");
    ASSERT_TRUE(test::at_head(*running, *log_.log));
    running->pause();
    click(link);
    EXPECT_FALSE(running->wait_for("links", head(), 300ms));
    ASSERT_TRUE(eventually([&] { return status_of(*running, "links").state == projection_state::paused; }));
    auto const status = status_of(*running, "links");
    EXPECT_EQ(status.lag_events, 1);
    EXPECT_GT(status.lag_seconds, 0);
    running->resume();
    EXPECT_TRUE(running->wait_for("links", head(), 30s));
}

TEST_P(Runner, GoesOnWhenTheLogComesBack) {
    troubled_source source{*log_.source};
    source.away = true;
    runner running{source, story().keys(), models_.store(), create_all(), test::quick_options()};
    running.start();
    create_link("abc");
    ASSERT_TRUE(eventually([&] { return status_of(running, "links").state == projection_state::retrying; }));
    EXPECT_THAT(status_of(running, "links").last_error.value_or(""), HasSubstr("away"));
    source.away = false;
    EXPECT_TRUE(test::at_head(running, *log_.log));
    running.stop();
}

TEST_P(Runner, RunsOnlyWhatItIsToldTo) {
    auto options = test::quick_options();
    options.only = {"links"};
    auto const running = start(options);
    create_link("abc");
    EXPECT_TRUE(running->wait_for("links", head(), 30s));
    EXPECT_FALSE(running->wait_for("audit_logs", head(), 100ms));
    EXPECT_EQ(status_of(*running, "audit_logs").state, projection_state::elsewhere);
}

TEST_P(Runner, ReadsRowsAndPositionFromOneSnapshot) {
    auto const link = create_link("abc");
    auto const running = start();
    ASSERT_TRUE(test::at_head(*running, *log_.log));
    std::thread clicker{[&] {
        for (int i = 0; i < 200; ++i) click(link);
    }};
    for (int i = 0; i < 100; ++i) {
        models_.store().read("links", [&](snapshot const& seen) {
            EXPECT_EQ(links::get_link(seen, link)->total_clicks, seen.position - 1);
        });
    }
    clicker.join();
    EXPECT_TRUE(running->wait_for("links", head(), 30s));
    EXPECT_EQ(get(link)->total_clicks, 200);
}

}  // namespace
}  // namespace linkledger::projections
