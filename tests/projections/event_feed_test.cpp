// The feed that projections share: nobody waits for events that are there.

#include "projections/event_feed.h"

#include "domain/streams.h"
#include "tests/projections/in_between.h"
#include "tests/projections/read_models.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

namespace linkledger::projections {
namespace {

using namespace std::chrono_literals;

TEST(EventFeed, GivesThePastToOneThatStartsOverWhileOthersWaitAtTheEnd) {
    test::told_log from;
    eventlog::position last = 0;
    for (int i = 0; i < 3; ++i) {
        domain::link::disabled e;
        e.link_id = domain::link_id{from.story.id()};
        last = from.story.tell(domain::stream_of(e.link_id), e);
    }
    feed_options options;
    options.types = {"link.disabled"};
    event_feed feed{*from.source, from.story.keys(), options};
    ASSERT_TRUE(feed.next(1, 0, 1s).value());
    feed.clear();

    std::atomic<bool> done = false;
    std::thread at_the_end{[&] {
        while (!done) static_cast<void>(feed.next(1, last, 5s));
    }};
    std::this_thread::sleep_for(20ms);
    auto const page = feed.next(0, 0, 100ms);
    done = true;
    feed.stop();
    at_the_end.join();
    ASSERT_TRUE(page);
    ASSERT_TRUE(page.value()) << "it waited for a new event, with three to read";
    EXPECT_EQ(page.value()->events.size(), 3u);
}

/// Does something else while it reads.
class interrupted_source final : public test::source_in_between {
public:
    using source_in_between::source_in_between;
    eventlog::result<eventlog::read_page> read(eventlog::read_query const& query) override {
        auto page = source_in_between::read(query);
        if (meanwhile) std::exchange(meanwhile, {})();
        return page;
    }

    std::function<void()> meanwhile;
};

TEST(EventFeed, ForgetsAPageOfTheHistoryBeforeThatWasBeingRead) {
    test::told_log from;
    domain::link::disabled e;
    e.link_id = domain::link_id{from.story.id()};
    from.story.tell(domain::stream_of(e.link_id), e);
    interrupted_source source{*from.source};
    feed_options options;
    options.types = {"link.disabled"};
    event_feed feed{source, from.story.keys(), options};
    int reads = 0;
    source.meanwhile = [&] {
        ++reads;
        feed.clear();
    };
    EXPECT_FALSE(feed.next(0, 0, 0ms).value());
    EXPECT_EQ(reads, 1);
    EXPECT_TRUE(feed.next(0, 0, 0ms).value());
}

}  // namespace
}  // namespace linkledger::projections
