// Group commit: what shares a batch, what each append is told, and what happens when the store fails.
#include "eventlog/committer.h"

#include "eventlog/crypto.h"
#include "eventlog/memory_log.h"
#include "tests/support/faulty_log.h"

#include <gmock/gmock.h>

#include <future>

namespace linkledger::eventlog {
namespace {

using namespace std::chrono_literals;
using test::fault;
using testing::ElementsAre;

append_request click(std::string stream, expected_version expected = expected_version::any(),
                     std::size_t data_bytes = 2) {
    event_body body;
    body.event_id = new_uuid_v7();
    body.type = "link.clicked";
    body.data = std::string(data_bytes, ' ');
    append_request request;
    request.streams.push_back({std::move(stream), expected, {std::move(body)}});
    return request;
}

class Committer : public testing::Test {
protected:
    /// The tests wait for it to be over; a machine that is slow takes up a request sooner.
    static constexpr auto short_wait = 300ms;
    using answer = std::future<result<append_outcome>>;

    void start(committer_options options = {}) {
        options.resend_pause = 1ms;
        committing_.emplace(log_, options);
    }
    committer& committing() {
        if (!committing_) start();
        return *committing_;
    }
    answer submit(append_request request) {
        auto promise = std::make_shared<std::promise<result<append_outcome>>>();
        auto future = promise->get_future();
        committing().submit(std::move(request),
                            [promise](auto outcome) { promise->set_value(std::move(outcome)); });
        return future;
    }
    static position position_of(answer& given) {
        return std::get<appended>(given.get().value()).last_position;
    }
    static failure_code failure_of(answer& given) { return given.get().error().code; }
    static bool is_ready(answer const& given) { return given.wait_for(0s) == std::future_status::ready; }
    position head() { return inner_->head().value().last; }
    void wait_until_available() {
        while (!committing().stats().store_available) std::this_thread::sleep_for(1ms);
    }
    /// Keeps the committer in the middle of a batch of one; what comes now must wait.
    answer hold() {
        log_.close_gate();
        std::size_t const before = log_.batches().size();
        answer held = submit(click("held"));
        log_.wait_for_appends(before + 1);
        return held;
    }

    std::unique_ptr<event_log> inner_ = create_memory_log();
    test::faulty_log log_{*inner_};
    std::optional<committer> committing_;
};

TEST_F(Committer, IsANewProducerAfterALongPause) {
    start({.producer_idle_max = std::chrono::hours{0}});
    for (auto const* stream : {"a", "b"}) {
        answer given = submit(click(stream));
        EXPECT_GT(position_of(given), 0);
    }
    ASSERT_EQ(log_.producers().size(), 2u);
    EXPECT_NE(log_.producers()[0], log_.producers()[1]);
    EXPECT_EQ(head(), 2);
}

TEST_F(Committer, IsOneProducerWhileItIsBusy) {
    for (auto const* stream : {"a", "b"}) {
        answer given = submit(click(stream));
        EXPECT_GT(position_of(given), 0);
    }
    EXPECT_EQ(log_.producers()[0], log_.producers()[1]);
}

TEST_F(Committer, TellsWhoHasWaitedLongEnoughBeforeItTriesAgain) {
    start({.queue_wait_max = short_wait});
    log_.close_gate();
    std::promise<std::pair<failure_code, std::size_t>> told;
    committing().submit(click("a"), [&](result<append_outcome> outcome) {
        told.set_value({outcome.error().code, log_.batches().size()});
    });
    log_.wait_for_appends(1);
    std::this_thread::sleep_for(short_wait + 1ms);
    log_.next({fault::lost_acknowledgement});
    log_.open_gate();
    EXPECT_EQ(told.get_future().get(), std::pair(failure_code::unknown_outcome, std::size_t{1}));
    wait_until_available();
    EXPECT_EQ(head(), 1) << "written once, all the same";
}

TEST_F(Committer, GivesEachAppendItsOwnOutcome) {
    answer held = hold();
    answer first = submit(click("a", expected_version::none()));
    answer conflict = submit(click("a", expected_version::none()));
    answer last = submit(click("b"));
    log_.open_gate();
    EXPECT_EQ(position_of(held), 1);
    EXPECT_EQ(position_of(first), 2);
    EXPECT_EQ(conflict.get().value(), append_outcome{(version_conflict{"a", 1})});
    EXPECT_EQ(position_of(last), 3);
    ASSERT_TRUE(committing().drain(10s));
    committer_stats const stats = committing().stats();
    EXPECT_EQ(stats.batches, 2u);
    EXPECT_EQ(stats.appends, 4u);
    EXPECT_EQ(stats.events, 3u);
    EXPECT_EQ(stats.queued, 0u);
}

TEST_F(Committer, BatchesWhatWaitedForTheStore) {
    answer held = hold();
    std::vector<answer> waiting;
    for (int i = 0; i < 10; ++i) waiting.push_back(submit(click("a")));
    EXPECT_EQ(committing().stats().queued, 10u);
    log_.open_gate();
    EXPECT_EQ(position_of(held), 1);
    for (std::size_t i = 0; i < waiting.size(); ++i) {
        EXPECT_EQ(position_of(waiting[i]), static_cast<position>(i + 2));
    }
    EXPECT_THAT(log_.batches(), ElementsAre(1, 10));
}

TEST_F(Committer, BoundsABatchByCount) {
    start({.batch_appends_max = 4});
    answer held = hold();
    std::vector<answer> waiting;
    for (int i = 0; i < 10; ++i) waiting.push_back(submit(click("a")));
    log_.open_gate();
    for (answer& one : waiting) EXPECT_TRUE(one.get());
    EXPECT_THAT(log_.batches(), ElementsAre(1, 4, 4, 2));
}

TEST_F(Committer, BoundsABatchByBytesButSendsALargeAppendAlone) {
    start({.batch_bytes_max = 10'000});
    answer held = hold();
    std::vector<answer> waiting;
    for (std::size_t const bytes : {3'000, 3'000, 3'000, 50'000, 10}) {
        waiting.push_back(submit(click("a", expected_version::any(), bytes)));
    }
    log_.open_gate();
    for (answer& one : waiting) EXPECT_TRUE(one.get());
    EXPECT_THAT(log_.batches(), ElementsAre(1, 2, 1, 1, 1));
}

TEST_F(Committer, RefusesWhatItsQueueCannotHold) {
    start({.queue_appends_max = 2, .queue_bytes_max = 10'000});
    answer held = hold();
    answer too_large = submit(click("a", expected_version::any(), 20'000));
    answer first = submit(click("a"));
    answer second = submit(click("a"));
    answer too_many = submit(click("a"));
    EXPECT_EQ(failure_of(too_large), failure_code::queue_full);
    EXPECT_EQ(failure_of(too_many), failure_code::queue_full);
    EXPECT_EQ(committing().stats().refused_full, 2u);
    log_.open_gate();
    EXPECT_TRUE(first.get());
    EXPECT_TRUE(second.get());
    EXPECT_EQ(head(), 3);
}

TEST_F(Committer, FailsWhatWaitedTooLongForItsTurn) {
    start({.queue_wait_max = short_wait});
    answer held = hold();
    answer late = submit(click("a"));
    std::this_thread::sleep_for(short_wait + 1ms);
    log_.open_gate();
    EXPECT_EQ(failure_of(late), failure_code::timeout);
    EXPECT_TRUE(held.get()) << "it had its turn";
    EXPECT_EQ(head(), 1);
}

TEST_F(Committer, LearnsTheFateOfABatchWhoseAcknowledgementWasLost) {
    log_.next({fault::lost_acknowledgement});
    answer written = submit(click("a"));
    EXPECT_EQ(position_of(written), 1);
    log_.next({fault::lost_acknowledgement, fault::lost_request, fault::away, fault::lost_acknowledgement});
    answer again = submit(click("a"));
    EXPECT_EQ(position_of(again), 2);
    EXPECT_EQ(head(), 2);
    EXPECT_EQ(committing().stats().resent, 5u);
    answer next = submit(click("a"));
    EXPECT_EQ(position_of(next), 3);
}

TEST_F(Committer, WritesABatchThatNeverArrived) {
    log_.next({fault::lost_request, fault::lost_request, fault::away, fault::lost_request});
    answer written = submit(click("a"));
    EXPECT_EQ(position_of(written), 1);
    EXPECT_EQ(head(), 1);
}

TEST_F(Committer, SaysThatAnOutcomeIsUnknownAndStillFindsOutBeforeGoingOn) {
    start({.queue_wait_max = short_wait});
    log_.next({fault::lost_acknowledgement});
    log_.from_now_on(fault::lost_request);
    answer lost = submit(click("a"));
    EXPECT_EQ(failure_of(lost), failure_code::unknown_outcome);
    EXPECT_FALSE(committing().stats().store_available);
    answer meanwhile = submit(click("b"));
    EXPECT_EQ(failure_of(meanwhile), failure_code::unavailable) << "nothing overtakes the batch";

    log_.from_now_on(fault::none);
    wait_until_available();
    EXPECT_EQ(head(), 1) << "written once";
    answer next = submit(click("a"));
    EXPECT_EQ(position_of(next), 2);
}

TEST_F(Committer, FailsAtOnceWhileTheStoreIsAwayAndRecoversByItself) {
    answer held = hold();
    answer queued = submit(click("a"));
    log_.from_now_on(fault::away);
    log_.open_gate();
    EXPECT_EQ(failure_of(held), failure_code::unavailable);
    EXPECT_EQ(failure_of(queued), failure_code::unavailable);
    std::size_t const tries = log_.batches().size();
    answer refused = submit(click("a"));
    EXPECT_TRUE(is_ready(refused)) << "on the caller's own thread";
    EXPECT_EQ(failure_of(refused), failure_code::unavailable);
    EXPECT_EQ(log_.batches().size(), tries);

    log_.from_now_on(fault::none);
    wait_until_available();
    answer next = submit(click("a"));
    EXPECT_EQ(position_of(next), 1);
}

TEST_F(Committer, SurvivesOneBrokenConnectionUnnoticed) {
    log_.next({fault::away});
    answer written = submit(click("a"));
    EXPECT_EQ(position_of(written), 1);
    EXPECT_TRUE(committing().stats().store_available);
}

TEST_F(Committer, NeverTakesAnotherBatchsOutcomeForItsOwn) {
    // A store that wrote a batch and denied it must not answer the next batch with that one's outcome.
    log_.next({fault::written_yet_away, fault::away});
    answer denied = submit(click("a"));
    EXPECT_EQ(failure_of(denied), failure_code::unavailable);
    wait_until_available();
    answer next = submit(click("b"));
    EXPECT_EQ(position_of(next), 2);
    EXPECT_EQ(inner_->stream_version("b").value(), 1);
}

TEST_F(Committer, GoesOnAfterADamagedStore) {
    log_.next({fault::damaged});
    answer damaged = submit(click("a"));
    EXPECT_EQ(failure_of(damaged), failure_code::corrupted);
    answer next = submit(click("a"));
    EXPECT_EQ(position_of(next), 1);
}

TEST_F(Committer, DrainsWhatItAcceptedAndRefusesWhatComes) {
    answer held = hold();
    answer queued = submit(click("a"));
    EXPECT_FALSE(committing().drain(0ms));
    answer refused = submit(click("a"));
    EXPECT_EQ(failure_of(refused), failure_code::shutting_down);
    log_.open_gate();
    EXPECT_TRUE(committing().drain(10s));
    EXPECT_TRUE(is_ready(held));
    EXPECT_TRUE(is_ready(queued));
    EXPECT_EQ(head(), 2);
}

TEST_F(Committer, FinishesWhatItAcceptedBeforeItGoes) {
    std::vector<answer> all;
    for (int i = 0; i < 100; ++i) all.push_back(submit(click("a")));
    committing_.reset();
    for (answer& one : all) EXPECT_TRUE(one.get());
    EXPECT_EQ(head(), 100);
}

TEST_F(Committer, GoesEvenWhenAFateStaysUnknown) {
    start({.queue_wait_max = short_wait});
    log_.from_now_on(fault::lost_request);
    answer lost = submit(click("a"));
    committing_.reset();
    EXPECT_EQ(failure_of(lost), failure_code::unknown_outcome);
}

TEST_F(Committer, ReportsEachCommit) {
    std::atomic<std::size_t> appends = 0;
    committing().on_commit = [&](std::chrono::microseconds, std::size_t count) { appends += count; };
    answer first = submit(click("a"));
    EXPECT_TRUE(first.get());
    answer second = submit(click("a"));
    EXPECT_TRUE(second.get());
    EXPECT_TRUE(committing().drain(10s));
    EXPECT_EQ(appends, 2u);
}

TEST_F(Committer, KeepsManyThreadsApart) {
    start();
    std::vector<std::thread> threads;
    std::atomic<int> accepted = 0;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            std::vector<answer> mine;
            for (int i = 0; i < 500; ++i)
                mine.push_back(submit(click("capped", expected_version::below(1'000))));
            for (answer& one : mine) {
                if (std::holds_alternative<appended>(one.get().value())) ++accepted;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(accepted, 1'000);
    EXPECT_EQ(head(), 1'000);
}

}  // namespace
}  // namespace linkledger::eventlog
