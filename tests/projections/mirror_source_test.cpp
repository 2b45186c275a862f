// Projections fed by a real nats-server: the same rows as from the log, whatever happens to the mirror.
#include "projections/mirror_source.h"

#include "domain/streams.h"
#include "eventlog/mirror/publisher.h"
#include "eventlog/mirror/relay.h"
#include "eventlog/mirror/stream.h"
#include "tests/projections/read_models.h"
#include "tests/support/eventually.h"
#include "tests/support/nats_server.h"
#include "tests/support/numbered_batches.h"

#include <thread>

namespace linkledger::projections {
namespace {

namespace mirror = eventlog::mirror;
using namespace std::chrono_literals;
using eventlog::position;
using test::eventually;
using test::first_difference;

class MirrorSource : public testing::Test {
protected:
    void SetUp() override { source_ = make_source(); }

    std::unique_ptr<mirror_source> make_source() {
        mirror_source_options options;
        options.nats.url = server_.url();
        options.nats.reconnect_pause = 20ms;
        options.retry_pause_min = 50ms;
        options.retry_pause_max = 200ms;
        return create_mirror_source(*log_.log, options);
    }
    void start_relay() {
        mirror::relay_options options;
        options.nats.url = server_.url();
        options.nats.reconnect_pause = 20ms;
        options.check_interval = 200ms;
        options.standby_pause = 20ms;
        relay_ = std::make_unique<mirror::relay>(*log_.log, options);
        relay_->start();
    }
    void await_relay() {
        ASSERT_TRUE(eventually([&] { return relay_->stats().mirrored >= head(); })) << server_.log_tail();
    }
    std::unique_ptr<runner> start_runner() {
        auto made = std::make_unique<runner>(*source_, log_.story.keys(), models_.store(), create_all(),
                                             test::quick_options());
        made->start();
        return made;
    }
    position head() { return log_.log->head().value().last; }
    /// Some links and their clicks.
    void tell() {
        for (int i = 0; i < 20; ++i) {
            domain::link::created made;
            made.link_id = {log_.story.id()};
            made.workspace_id = {log_.story.id()};
            made.short_code = "code-" + std::to_string(++links_);
            made.url = "https://example.com/";
            made.tags = {"one", "two"};
            log_.story.tell(domain::stream_of(made.link_id), made);
            domain::click::clicked click;
            click.link_id = made.link_id;
            click.short_code = made.short_code;
            click.personal = domain::click::clicked_personal{"visitor", {}, {}, {}};
            for (int n = 0; n < 5; ++n) log_.story.tell(domain::clicks_stream_of(made.link_id), click);
        }
    }

    void expect_rows_of_the_log() {
        test::read_models expected{sql::dialect::sqlite};
        test::catch_up(log_, expected);
        for (auto const& name : projection_names()) {
            EXPECT_EQ(first_difference(models_.dump(name), expected.dump(name)), "") << name;
        }
    }
    /// Everything from `source` that the query lets through, page by page.
    std::vector<position> follow(event_source& source, eventlog::read_query query) {
        std::vector<position> seen;
        while (query.after < head()) {
            auto const page = source.read(query);
            EXPECT_TRUE(page);
            if (!page) return seen;
            EXPECT_GE(page.value().scanned_to, query.after);
            for (auto const& event : page.value().events) seen.push_back(event.position);
            if (page.value().events.size() == query.limit) {
                EXPECT_EQ(page.value().scanned_to, page.value().events.back().position);
            }
            query.after = page.value().scanned_to;
        }
        return seen;
    }

    test::nats_server server_;
    test::told_log log_;
    test::read_models models_{sql::dialect::sqlite};
    std::unique_ptr<mirror_source> source_;
    std::unique_ptr<mirror::relay> relay_;
    int links_ = 0;
};

TEST_F(MirrorSource, FeedsProjectionsTheRowsOfTheLog) {
    tell();
    start_relay();
    await_relay();
    auto const running = start_runner();
    ASSERT_TRUE(test::at_head(*running, *log_.log));
    tell();
    ASSERT_TRUE(test::at_head(*running, *log_.log));
    expect_rows_of_the_log();
    EXPECT_GT(source_->stats().mirror_events, 0u);
}

TEST_F(MirrorSource, ReadsTheLogWhileNatsIsAwayAndReturns) {
    start_relay();
    tell();
    await_relay();
    auto const running = start_runner();
    ASSERT_TRUE(test::at_head(*running, *log_.log));
    server_.kill9();
    tell();
    ASSERT_TRUE(test::at_head(*running, *log_.log));
    EXPECT_FALSE(source_->stats().on_mirror);
    server_.start();
    ASSERT_TRUE(eventually([&] {
        tell();
        return test::at_head(*running, *log_.log) && source_->stats().on_mirror;
    }));
    expect_rows_of_the_log();
}

TEST_F(MirrorSource, ReadsTheLogWhileTheMirrorIsBehindOrGone) {
    start_relay();
    tell();
    await_relay();
    auto const running = start_runner();
    ASSERT_TRUE(test::at_head(*running, *log_.log));
    relay_.reset();
    tell();
    ASSERT_TRUE(test::at_head(*running, *log_.log));
    mirror::nats_connection nats{{.url = server_.url()}};
    ASSERT_TRUE(nats.wait_connected(10s));
    ASSERT_TRUE(nats.delete_stream(mirror::stream_name));
    tell();
    ASSERT_TRUE(test::at_head(*running, *log_.log));
    EXPECT_GT(source_->stats().log_events, 0u);
    // Made anew beneath readers that have positions of the old one.
    start_relay();
    ASSERT_TRUE(eventually([&] {
        tell();
        return test::at_head(*running, *log_.log) && source_->stats().on_mirror;
    }));
    expect_rows_of_the_log();
}

TEST_F(MirrorSource, BelievesNothingOfAnotherHistory) {
    auto const other = eventlog::create_memory_log();
    for (int i = 1; i <= 100; ++i) ASSERT_TRUE(other->append(test::numbered_batch(9, i, 8)));
    mirror::nats_connection nats{{.url = server_.url()}};
    ASSERT_TRUE(nats.wait_connected(10s));
    auto const of = mirror::history_of(other->head().value());
    ASSERT_TRUE(nats.create_stream(mirror::settings_of(of, 1)));
    mirror::publisher out{nats, of, 0, {}};
    auto const page = other->read({.limit = 100'000}).value();
    for (auto const& event : page.events)
        ASSERT_EQ(out.publish(event, true), mirror::publish_outcome::done) << out.reason();
    ASSERT_EQ(out.flush(), mirror::publish_outcome::done);

    tell();
    auto const running = start_runner();
    ASSERT_TRUE(test::at_head(*running, *log_.log));
    expect_rows_of_the_log();
    EXPECT_EQ(source_->stats().mirror_events, 0u);
}

TEST_F(MirrorSource, NarrowsByTypesAsTheLogDoes) {
    tell();
    start_relay();
    await_relay();
    ASSERT_TRUE(eventually([&] {
        static_cast<void>(source_->read({}));
        return source_->stats().on_mirror;
    }));
    std::vector<eventlog::read_query> queries(6);
    queries[1].limit = 7;
    queries[2].types = {"link.clicked"};
    queries[3].types = {"link.created", "link.updated"};
    queries[3].limit = 3;
    queries[4].excluded_types = {"link.clicked"};
    queries[5].after = head() / 2;
    for (auto const& query : queries) EXPECT_EQ(follow(*source_, query), follow(*log_.source, query));
}

TEST_F(MirrorSource, WakesWhoWaits) {
    tell();
    start_relay();
    await_relay();
    auto const before = head();
    EXPECT_FALSE(source_->wait_beyond(before, 20ms));
    EXPECT_TRUE(source_->wait_beyond(before - 1, 0ms) || source_->wait_beyond(before - 1, 1s));
    std::thread teller{[&] { tell(); }};
    EXPECT_TRUE(eventually([&] { return source_->wait_beyond(before, 10s); }));
    teller.join();
}

}  // namespace
}  // namespace linkledger::projections
