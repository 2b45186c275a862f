// One projection's worker beside others: pages that others read, and checkpoints that others moved.

#include "projections/worker.h"

#include "projections/checkpoint.h"
#include "tests/projections/in_between.h"
#include "tests/projections/random_story.h"
#include "tests/projections/read_models.h"

namespace linkledger::projections {
namespace {

using namespace std::chrono_literals;
using test::first_difference;

/// Its head cannot be had as often as told.
class headless_source final : public test::source_in_between {
public:
    using source_in_between::source_in_between;
    eventlog::result<eventlog::log_head> head() override {
        if (failures == 0) return source_in_between::head();
        --failures;
        return eventlog::failure{eventlog::failure_code::unavailable, "away"};
    }

    int failures = 0;
};

/// `links`, whose store breaks as often as told.
class breaking final : public test::projection_in_between {
public:
    breaking() : projection_in_between(test::create_projection("links")) {}
    void apply(event_batch batch, sql::connection& transaction) override {
        if (breaks == 0) return projection_in_between::apply(batch, transaction);
        --breaks;
        throw sql::error{sql::error::kind::unavailable, "the connection broke"};
    }

    int breaks = 0;
};

/// Workers of `links`, each as in a process of its own but for the feed, on this thread.
class Worker : public test::on_both_databases {
protected:
    struct process {
        explicit process(Worker& in)
            : worker(links, build_id{links.version()}, 0,
                     worker_surroundings{in.source_, in.story().keys(), in.models_.store(), in.feed_,
                                         in.board_, in.gate_, in.turns_, in.options_}) {}
        breaking links;
        projections::worker worker;
    };

    void SetUp() override {
        test::tell_random_story(story(), 3, 60);
        static_cast<void>(models_.live("links"));  // Makes the rows that say so.
    }
    void TearDown() override { board_.stop(); }

    [[nodiscard]] eventlog::position head() { return log_.log->head().value().last; }
    void run_to_the_head(process& one) {
        for (int turns = 0; one.worker.known_status().position < head(); ++turns) {
            ASSERT_LT(turns, 1'000);
            static_cast<void>(one.worker.turn());
        }
        EXPECT_EQ(one.worker.known_status().parked, 0);
    }
    void expect_each_event_once() {
        test::read_models undisturbed{GetParam()};
        test::catch_up(log_, undisturbed);
        EXPECT_EQ(first_difference(models_.dump("links"), undisturbed.dump("links")), "");
    }
    static feed_options pages_of(std::size_t events) {
        feed_options options;
        options.page_events_max = events;
        options.linger = 0ms;
        breaking const links;
        options.read_for(links);
        return options;
    }
    static runner_options options_of_test() {
        runner_options options = test::quick_options();
        options.batch_events_max = 1;  // Every page counts as full, so that several make a batch.
        return options;
    }

    headless_source source_{*log_.source};
    runner_options options_ = options_of_test();
    event_feed feed_{source_, story().keys(), pages_of(7)};
    progress_board board_{models_.store(), {"links"}, 60s, [] {}};
    pause_gate gate_;
    std::timed_mutex turns_;
};
LINKLEDGER_ON_BOTH_DATABASES(Worker);

TEST_P(Worker, AppliesAnEventOnceWhenAnotherReadsPagesThatBeginElsewhere) {
    process one{*this};
    run_to_the_head(one);
    auto const begin = head();
    test::tell_random_story(story(), 4, 60);
    // Pages that begin within the one that the worker reads first, at the third of its seven events.
    eventlog::read_query its_own{.after = begin, .limit = 3};
    for (auto const type : one.links.event_types()) its_own.types.emplace_back(type);
    auto after = log_.log->read(its_own).value().events.back().position;
    for (int pages = 0; pages < 2; ++pages) after = feed_.next(9, after, 0ms).value()->until;
    feed_.leave(9);
    run_to_the_head(one);
    expect_each_event_once();
}

TEST_P(Worker, GoesOnFromTheStoredCheckpointWhereAnotherWentOnMeanwhile) {
    process first{*this};
    static_cast<void>(first.worker.turn());
    ASSERT_GT(first.worker.known_status().position, 0);
    ASSERT_LT(first.worker.known_status().position, head());
    first.links.breaks = 1;
    EXPECT_EQ(first.worker.turn(), worker::after_turn::retry) << "it lets go";
    {
        process second{*this};
        static_cast<void>(second.worker.turn());
        ASSERT_GT(second.worker.known_status().position, first.worker.known_status().position);
    }
    source_.failures = 1;
    EXPECT_EQ(first.worker.turn(), worker::after_turn::retry) << "the log is away when it takes over";
    run_to_the_head(first);
    expect_each_event_once();
}

TEST_P(Worker, WritesNothingFromACheckpointThatIsElsewhereByNow) {
    process one{*this};
    static_cast<void>(one.worker.turn());
    auto const seen = load_checkpoint(*models_.open("links"), "links", one.links.version());
    run_to_the_head(one);
    auto const writer = models_.open("links");
    auto to = seen;
    ++to.position;
    EXPECT_THROW(move_checkpoint(*writer, "links", one.links.version(), seen, to), sql::error);
    auto other = load_checkpoint(*writer, "links", one.links.version());
    EXPECT_EQ(other.position, head());
    ++other.epoch;
    EXPECT_THROW(move_checkpoint(*writer, "links", one.links.version(), other, to), sql::error);
}

}  // namespace
}  // namespace linkledger::projections
