// Clicks while the log does not answer: answered from the spool, in the log once, whatever became of a batch.
#include "eventlog/spool/spooler.h"

#include "eventlog/crypto.h"
#include "eventlog/memory_log.h"
#include "tests/support/faulty_log.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>

#include <future>
#include <set>

namespace linkledger::eventlog {
namespace {

using namespace std::chrono_literals;
using test::fault;
using test::temp_folder;
using testing::IsEmpty;

class Spooler : public testing::Test {
protected:
    static constexpr auto longer_than_any_machine_takes = 60s;
    using answer = std::future<result<append_outcome>>;

    Spooler() { start(); }
    ~Spooler() override {
        log_.from_now_on(fault::none);
        log_.open_gate();
        stop();
    }

    /// `after`: how long a click waits for the log. Where a test says that the log answers a click, it must
    /// be longer than any machine takes.
    void start(std::chrono::milliseconds after = 20ms, std::size_t bytes_max = 1u << 20) {
        stop();
        spool_options where;
        where.path = folder_.file("spool.db");
        where.bytes_max = bytes_max;
        spool_ = spool::open(where).value();
        ASSERT_TRUE(spool_->bind_history(inner_->head().value()));
        committer_options how;
        how.resend_pause = 1ms;
        committing_.emplace(log_, how);
        spooler_options spooling;
        spooling.after = after;
        spooling.retry_pause = 5ms;
        spooling_.emplace(log_, *committing_, keys_, *spool_, spooling);
    }
    void stop() {
        spooling_.reset();
        committing_.reset();
        spool_.reset();
    }

    append_request append(std::string const& stream) {
        event_body body;
        body.event_id = new_uuid_v7();
        body.type = "link.clicked";
        body.data = "{}";
        body.occurred_at = now() - 1h;
        append_request request;
        request.streams.push_back({stream, expected_version::any(), {body}});
        return request;
    }
    answer submit(append_request request, bool may_spool) {
        auto promise = std::make_shared<std::promise<result<append_outcome>>>();
        auto future = promise->get_future();
        committing_->submit(
            std::move(request), [promise](auto outcome) { promise->set_value(std::move(outcome)); },
            may_spool);
        return future;
    }
    answer click(std::string const& stream = "clicks-a") { return submit(append(stream), true); }
    answer command() { return submit(append("link-a"), false); }

    /// The position of what was appended; 0 for what was spooled; -1 for a failure.
    static position position_of(answer& given) {
        auto const outcome = given.get();
        return outcome ? std::get<appended>(outcome.value()).last_position : -1;
    }
    static bool is_open(answer const& given) { return given.wait_for(0s) != std::future_status::ready; }

    std::vector<recorded_event> events() { return inner_->read({}).value().events; }
    /// A click whose batch stands at the log's gate, and which is answered from the spool.
    void spool_one_in_flight() {
        log_.close_gate();
        answer given = click();
        log_.wait_for_appends(1);
        ASSERT_EQ(position_of(given), 0);
    }
    void wait_until_all_is_sent() {
        auto const until = std::chrono::steady_clock::now() + 20s;
        while ((spool_->stats().clicks > 0 || spooling_->is_active()) &&
               std::chrono::steady_clock::now() < until)
            std::this_thread::sleep_for(1ms);
        ASSERT_EQ(spool_->stats().clicks, 0u);
        ASSERT_FALSE(spooling_->is_active());
    }
    void expect_each_once(std::size_t count) {
        auto const all = events();
        std::set<uuid> ids;
        for (auto const& one : all) ids.insert(one.body.event_id);
        EXPECT_EQ(all.size(), count);
        EXPECT_EQ(ids.size(), count);
    }

    temp_folder folder_;
    std::unique_ptr<event_log> inner_ = create_memory_log();
    test::faulty_log log_{*inner_};
    keyring keys_{log_, master_key{std::string(32, 'k')}};
    std::unique_ptr<spool> spool_;
    std::optional<committer> committing_;
    std::optional<spooler> spooling_;
};

TEST_F(Spooler, KeepsOutOfTheWayWhileTheLogAnswers) {
    start(longer_than_any_machine_takes);
    answer given = click();
    EXPECT_EQ(position_of(given), 1);
    EXPECT_FALSE(spooling_->is_active());
    EXPECT_EQ(spooling_->stats().spooled, 0u);
}

TEST_F(Spooler, AnswersClicksWhileTheLogStandsStill) {
    log_.close_gate();
    answer in_flight = click();
    log_.wait_for_appends(1);
    answer queued = click();
    EXPECT_EQ(position_of(in_flight), 0);
    EXPECT_EQ(position_of(queued), 0);
    EXPECT_TRUE(spooling_->is_active());
    answer later = click();
    EXPECT_EQ(position_of(later), 0);
    log_.open_gate();
    wait_until_all_is_sent();
    expect_each_once(3);
}

TEST_F(Spooler, StaysActiveWhileABatchIsOnItsWayThoughTheHeadCanBeRead) {
    spool_one_in_flight();
    std::this_thread::sleep_for(60ms);  // Long enough for a few looks at the log.
    EXPECT_TRUE(spooling_->is_active());
    log_.open_gate();
    wait_until_all_is_sent();
    expect_each_once(1);
}

TEST_F(Spooler, LeavesClicksToTheLogOnceAllIsSent) {
    start(longer_than_any_machine_takes);
    log_.from_now_on(fault::away);
    answer given = click();
    EXPECT_EQ(position_of(given), 0);
    log_.from_now_on(fault::none);
    wait_until_all_is_sent();
    answer again = click();
    EXPECT_EQ(position_of(again), 2);
}

TEST_F(Spooler, KeepsTheTimeAtWhichAClickHappened) {
    log_.from_now_on(fault::away);
    auto request = append("clicks-a");
    auto const happened = request.streams.front().events.front().occurred_at;
    answer given = submit(std::move(request), true);
    EXPECT_EQ(position_of(given), 0);
    log_.from_now_on(fault::none);
    wait_until_all_is_sent();
    EXPECT_EQ(domain::to_unix_us(events().front().body.occurred_at), domain::to_unix_us(happened));
}

TEST_F(Spooler, LeavesCommandsToTheLog) {
    log_.close_gate();
    answer stuck = command();
    log_.wait_for_appends(1);
    answer beside = click();
    answer behind = command();
    EXPECT_EQ(position_of(beside), 0);
    std::this_thread::sleep_for(40ms);
    EXPECT_TRUE(is_open(stuck));
    EXPECT_TRUE(is_open(behind));
    log_.open_gate();
    EXPECT_GT(position_of(stuck), 0);
    EXPECT_GT(position_of(behind), 0);
    wait_until_all_is_sent();
    expect_each_once(3);
}

/// What may become of a batch that was on its way when its click was spooled.
class SpoolerWithABatchInFlight : public Spooler, public testing::WithParamInterface<fault> {};
INSTANTIATE_TEST_SUITE_P(With, SpoolerWithABatchInFlight,
                         testing::Values(fault::none, fault::away, fault::lost_request,
                                         fault::lost_acknowledgement, fault::written_yet_away));

TEST_P(SpoolerWithABatchInFlight, WritesItsClicksOnce) {
    log_.close_gate();
    answer first = click();
    log_.wait_for_appends(1);
    answer second = click();
    EXPECT_EQ(position_of(first), 0);
    EXPECT_EQ(position_of(second), 0);
    // Each of the tries that follow meets the same fate, then the log is well.
    log_.next({GetParam(), GetParam(), GetParam()});
    log_.open_gate();
    wait_until_all_is_sent();
    expect_each_once(2);
}

TEST_P(SpoolerWithABatchInFlight, WritesItsClicksOnceAfterARestart) {
    spool_one_in_flight();
    log_.next({GetParam()});
    log_.from_now_on(fault::away);
    log_.open_gate();
    stop();  // Gives the batch up in whatever state it is.
    log_.from_now_on(fault::none);
    start();
    wait_until_all_is_sent();
    expect_each_once(1);
}

TEST_F(Spooler, LeavesABatchThatWasSpooledItsProducersLast) {
    spool_one_in_flight();
    log_.open_gate();
    wait_until_all_is_sent();
    std::size_t clicks = 1;
    for (int written = 0; written < 3 && clicks < 1'000; ++clicks) {  // A slow machine spools some of them.
        answer given = click();
        if (position_of(given) > 0) ++written;
    }
    wait_until_all_is_sent();
    // As if the process had died before the spool was told, and a new one found the batch there.
    append_batch const again{log_.producers().front(), 1, {append("clicks-a")}};
    ASSERT_TRUE(spool_->add({}, again));
    spool_->release(number_of(again));
    spooling_->activate();
    wait_until_all_is_sent();
    expect_each_once(clicks);
    EXPECT_EQ(spooling_->stats().problem, "");
}

TEST_F(Spooler, LetsClicksGoToALogThatRefusesWhatIsSpooled) {
    start(longer_than_any_machine_takes);
    append_batch const wrong{new_uuid_v7(), 7, {append("clicks-a")}};
    ASSERT_TRUE(spool_->add({}, wrong));
    spool_->release(number_of(wrong));
    spooling_->activate();
    auto const until = std::chrono::steady_clock::now() + 20s;
    while (spooling_->is_active() && std::chrono::steady_clock::now() < until)
        std::this_thread::sleep_for(1ms);
    answer given = click();
    EXPECT_EQ(position_of(given), 1);
    EXPECT_EQ(spool_->stats().clicks, 1u) << "nothing is thrown away";
    EXPECT_THAT(spooling_->stats().problem, testing::HasSubstr("does not take"));
}

TEST_F(Spooler, SpoolsAtOnceWhatAKnownAbsenceWouldRefuse) {
    log_.from_now_on(fault::away);
    answer given = click();
    EXPECT_EQ(position_of(given), 0);
    answer refused = command();
    EXPECT_EQ(position_of(refused), -1);
    log_.from_now_on(fault::none);
    wait_until_all_is_sent();
    expect_each_once(1);
}

TEST_F(Spooler, RefusesWhenItIsFullAndLosesNothing) {
    start(20ms, 3'000);
    log_.from_now_on(fault::away);
    std::size_t kept = 0;
    failure_code last{};
    for (int i = 0; i < 100; ++i) {
        answer given = click();
        auto const outcome = given.get();
        if (outcome) {
            ++kept;
        } else {
            last = outcome.error().code;
            break;
        }
    }
    EXPECT_GT(kept, 2u);
    EXPECT_EQ(last, failure_code::queue_full);
    log_.from_now_on(fault::none);
    wait_until_all_is_sent();
    expect_each_once(kept);
}

TEST_F(Spooler, SendsWhatAnEarlierProcessLeft) {
    log_.from_now_on(fault::away);
    for (int i = 0; i < 10; ++i) {
        answer given = click();
        EXPECT_EQ(position_of(given), 0);
    }
    stop();
    EXPECT_THAT(events(), IsEmpty());
    log_.from_now_on(fault::none);
    start();
    wait_until_all_is_sent();
    expect_each_once(10);
}

// ---- Keys that the log does not have ----------------------------------------------------------------------

class SpoolerKeys : public Spooler {
protected:
    static constexpr auto subject = "clicks-0190a000-0000-7000-8000-000000000001-2026-11-27";

    spooler::local_key local_key() {
        std::promise<result<spooler::local_key>> made;
        spooling_->make_local_key(subject, [&](auto key) { made.set_value(std::move(key)); });
        return made.get_future().get().value();
    }
    void keep_sealed(data_key const& key, std::chrono::hours ago = 1h) {
        auto request = append("clicks-a");
        auto& event = request.streams.front().events.front();
        event.occurred_at = now() - ago;
        event.personal = keyring::seal(key, "visitor", event.event_id, sealed_part::personal);
        auto promise = std::make_shared<std::promise<result<append_outcome>>>();
        auto kept = promise->get_future();
        spooling_->keep(std::move(request),
                        [promise](auto outcome) { promise->set_value(std::move(outcome)); });
        ASSERT_TRUE(kept.get());
    }
    /// What the log's only event holds, opened with the log's own keys.
    std::string opened() {
        keyring fresh{*inner_, master_key{std::string(32, 'k')}};
        auto const all = events();
        auto const& event = all.front().body;
        return fresh.open(event.personal, event.event_id, sealed_part::personal).value().value_or("(erased)");
    }
};

TEST_F(SpoolerKeys, BecomeTheLogs) {
    log_.from_now_on(fault::away);
    spooling_->activate();
    auto const key = local_key();
    EXPECT_EQ(local_key()->key_id, key->key_id) << "one for a subject";
    keep_sealed(*key);
    log_.from_now_on(fault::none);
    wait_until_all_is_sent();
    EXPECT_EQ(inner_->find_key(std::string{subject}).value()->key_id, key->key_id);
    EXPECT_EQ(opened(), "visitor");
    EXPECT_EQ(spooling_->known_local_key(subject), nullptr);
}

TEST_F(SpoolerKeys, GiveWayToOneThatTheLogGotMeanwhile) {
    log_.from_now_on(fault::away);
    spooling_->activate();
    auto const key = local_key();
    keep_sealed(*key);
    keyring other{*inner_, master_key{std::string(32, 'k')}};
    auto const known = other.get_or_create(subject).value();
    log_.from_now_on(fault::none);
    wait_until_all_is_sent();
    EXPECT_EQ(events().front().body.personal.key_id, known->key_id);
    EXPECT_EQ(opened(), "visitor");
}

TEST_F(SpoolerKeys, OpenNoDetailsOfADayThatMayHaveBeenErasedMeanwhile) {
    log_.from_now_on(fault::away);
    spooling_->activate();
    keep_sealed(*local_key(), 24h * 8);
    log_.from_now_on(fault::none);
    wait_until_all_is_sent();
    expect_each_once(1);
    EXPECT_EQ(opened(), "(erased)");
}

TEST_F(SpoolerKeys, OfAnotherMasterKeyHoldUpNoClick) {
    keyring const wrong{*inner_, master_key{std::string(32, 'w')}};
    auto const foreign = wrong.make(subject);
    ASSERT_TRUE(spool_->add_key(foreign.stored));
    log_.from_now_on(fault::away);
    spooling_->activate();
    keep_sealed(*foreign.key);
    answer other = click();
    EXPECT_EQ(position_of(other), 0);
    log_.from_now_on(fault::none);
    wait_until_all_is_sent();
    expect_each_once(2);
    EXPECT_EQ(opened(), "(erased)");
}

TEST_F(SpoolerKeys, SurviveARestart) {
    log_.from_now_on(fault::away);
    spooling_->activate();
    keep_sealed(*local_key());
    stop();
    log_.from_now_on(fault::none);
    start();
    wait_until_all_is_sent();
    EXPECT_EQ(opened(), "visitor");
}

}  // namespace
}  // namespace linkledger::eventlog
