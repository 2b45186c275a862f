// Relays on a real nats-server: races, kills, and every way in which a stream can be wrong.
#include "eventlog/mirror/relay.h"

#include "eventlog/crypto.h"
#include "eventlog/leaf_hash.h"
#include "eventlog/memory_log.h"
#include "eventlog/mirror/nats_handles.h"
#include "eventlog/mirror/reader.h"
#include "eventlog/mirror/stream.h"
#include "eventlog/mirror/verification.h"
#include "tests/support/eventually.h"
#include "tests/support/faulty_log.h"
#include "tests/support/nats_server.h"
#include "tests/support/numbered_batches.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

namespace linkledger::eventlog::mirror {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using testing::Contains;
using testing::HasSubstr;

class MirrorRelay : public testing::Test {
protected:
    relay_options options() {
        relay_options quick;
        quick.nats.url = server_.url();
        quick.nats.reconnect_pause = 20ms;
        quick.check_interval = 200ms;
        quick.standby_pause = 50ms;
        quick.note = [this](note_level, std::string const& text) {
            std::lock_guard const lock{mutex_};
            notes_.push_back(text);
        };
        return quick;
    }
    std::unique_ptr<relay> start_relay() {
        auto made = std::make_unique<relay>(*log_, options());
        made->start();
        return made;
    }
    /// Some 10 events per batch.
    void append_batches(std::int64_t count, int writer = 1) {
        for (std::int64_t i = 0; i < count; ++i) {
            auto const outcome = log_->append(test::numbered_batch(writer, ++sequences_[writer], 8));
            ASSERT_TRUE(outcome) << outcome.error().detail;
        }
    }
    position head() { return log_->head().value().last; }
    bool caught_up(relay const& one) { return one.stats().mirrored >= head(); }

    /// The mirror holds the log, whole and byte for byte.
    void expect_whole() {
        nats_connection nats{{.url = server_.url()}};
        ASSERT_TRUE(nats.wait_connected(10s)) << server_.log_tail();
        auto const found = verify(nats, *log_, {});
        ASSERT_TRUE(found) << found.error().detail;
        EXPECT_EQ(found.value().difference.value_or("none"), "none");
        EXPECT_TRUE(found.value().whole());
        EXPECT_EQ(found.value().log_hash, found.value().mirror_hash);
        EXPECT_EQ(nats.find_stream(stream_name).value()->last, head());
    }
    std::vector<std::string> notes() {
        std::lock_guard const lock{mutex_};
        return notes_;
    }

    test::nats_server server_;
    std::unique_ptr<event_log> log_ = create_memory_log();
    std::map<int, std::int64_t> sequences_;
    std::mutex mutex_;
    std::vector<std::string> notes_;
};

TEST_F(MirrorRelay, PutsEveryEventAtTheSequenceOfItsPosition) {
    append_batches(20);
    auto const one = start_relay();
    ASSERT_TRUE(eventually([&] { return caught_up(*one); }));
    append_batches(20);
    ASSERT_TRUE(eventually([&] { return caught_up(*one); }));
    expect_whole();
    EXPECT_EQ(one->stats().repairs, 0u);
    EXPECT_EQ(one->stats().published, static_cast<std::uint64_t>(head()));
}

TEST_F(MirrorRelay, GoesOnWhereAnEarlierOneStopped) {
    append_batches(20);
    auto first = start_relay();
    ASSERT_TRUE(eventually([&] { return caught_up(*first); }));
    first.reset();
    append_batches(1);
    auto const second = start_relay();
    ASSERT_TRUE(eventually([&] { return caught_up(*second); }));
    EXPECT_LT(second->stats().published, 20u);
    expect_whole();
}

/// Its head can be read, and single events; pages cannot.
class log_without_pages final : public test::faulty_log {
public:
    using faulty_log::faulty_log;
    result<read_page> read(read_query const& query) override {
        if (is_broken && query.limit > 1) return failure{failure_code::corrupted, "a damaged row"};
        return faulty_log::read(query);
    }

    std::atomic<bool> is_broken = true;
};

TEST_F(MirrorRelay, RestsLongerAndLongerWhileNoPageCanBeRead) {
    append_batches(20);
    log_without_pages broken{*log_};
    relay one{broken, options()};
    one.start();
    ASSERT_TRUE(eventually([&] { return one.stats().failures >= 5; }));
    auto const told = [&](std::string const& what) {
        auto const all = notes();
        return std::count_if(all.begin(), all.end(),
                             [&](auto const& each) { return each.find(what) != std::string::npos; });
    };
    EXPECT_EQ(told("trying again"), 1) << "said once, not with every try";
    broken.is_broken = false;
    ASSERT_TRUE(eventually([&] { return caught_up(one); }));
    expect_whole();
    ASSERT_TRUE(eventually([&] { return told("within reach again") == 1; }));
}

TEST_F(MirrorRelay, RacesOthersWithoutHarm) {
    std::vector<std::unique_ptr<relay>> relays;
    for (int i = 0; i < 3; ++i) relays.push_back(start_relay());
    for (int i = 0; i < 30; ++i) {
        append_batches(5);
        std::this_thread::sleep_for(5ms);
        if (i % 10 == 9) {
            // Whoever publishes goes, as one that is killed does; another takes its place.
            relays.erase(relays.begin());
            relays.push_back(start_relay());
        }
    }
    ASSERT_TRUE(eventually([&] {
        return std::any_of(relays.begin(), relays.end(), [&](auto const& each) { return caught_up(*each); });
    }));
    expect_whole();
    for (auto const& each : relays) EXPECT_EQ(each->stats().repairs, 0u);
}

TEST_F(MirrorRelay, SurvivesKillsOfNatsWhileItPublishes) {
    auto const one = start_relay();
    for (int i = 0; i < 4; ++i) {
        append_batches(50);
        server_.kill9();
        append_batches(10);
        server_.start();
    }
    ASSERT_TRUE(eventually([&] { return one->stats().role != relay_role::away && caught_up(*one); }));
    // A check later, what nats-server lost with its crash is there again too.
    append_batches(1);
    ASSERT_TRUE(eventually([&] { return caught_up(*one); }));
    expect_whole();
}

TEST_F(MirrorRelay, WaitsForNatsWithoutHoldingUpAppends) {
    server_.stop();
    auto const one = start_relay();
    append_batches(10);
    EXPECT_EQ(one->stats().role, relay_role::away);
    server_.start();
    ASSERT_TRUE(eventually([&] { return caught_up(*one); }));
    expect_whole();
}

TEST_F(MirrorRelay, MakesAWipedStreamAnew) {
    append_batches(100);
    auto const one = start_relay();
    ASSERT_TRUE(eventually([&] { return caught_up(*one); }));
    server_.stop();
    server_.wipe();
    server_.start();
    ASSERT_TRUE(eventually([&] { return one->stats().repairs == 1; }));
    append_batches(1);
    ASSERT_TRUE(eventually([&] { return caught_up(*one); }));
    expect_whole();
    EXPECT_THAT(notes(), Contains(HasSubstr("it is gone; making it anew")));
}

TEST_F(MirrorRelay, MakesADeletedStreamAnewWhileOthersStandBy) {
    append_batches(100);
    auto const one = start_relay();
    auto const other = start_relay();
    ASSERT_TRUE(eventually([&] { return caught_up(*one) && caught_up(*other); }));
    nats_connection nats{{.url = server_.url()}};
    ASSERT_TRUE(nats.wait_connected(10s));
    ASSERT_TRUE(nats.delete_stream(stream_name));
    ASSERT_TRUE(eventually([&] { return one->stats().repairs + other->stats().repairs > 0; }));
    ASSERT_TRUE(eventually([&] {
        auto const stream = nats.find_stream(stream_name);
        return stream && stream.value() && stream.value()->last == head();
    }));
    expect_whole();
}

/// Makes a stream of its own and puts events into it, as a relay of another log would.
void publish_all(std::string const& url, event_log& log) {
    nats_connection nats{{.url = url}};
    ASSERT_TRUE(nats.wait_connected(10s));
    auto const of = history_of(log.head().value());
    ASSERT_TRUE(nats.create_stream(settings_of(of, 1)));
    publisher out{nats, of, 0, {}};
    auto const page = log.read({.limit = 100'000}).value();
    for (auto const& event : page.events)
        ASSERT_EQ(out.publish(event, false), publish_outcome::done) << out.reason();
}

TEST_F(MirrorRelay, ReplacesTheStreamOfAnotherHistory) {
    auto const other = create_memory_log();
    for (int i = 1; i <= 30; ++i) ASSERT_TRUE(other->append(test::numbered_batch(9, i, 8)));
    publish_all(server_.url(), *other);
    append_batches(40);
    auto const one = start_relay();
    ASSERT_TRUE(eventually([&] { return caught_up(*one); }));
    EXPECT_EQ(one->stats().repairs, 1u);
    EXPECT_THAT(notes(), Contains(HasSubstr("another history")));
    expect_whole();
}

TEST_F(MirrorRelay, NoticesAPurgeAndADeletedMessage) {
    append_batches(50);
    auto const one = start_relay();
    ASSERT_TRUE(eventually([&] { return caught_up(*one); }));
    nats_connection nats{{.url = server_.url()}};
    ASSERT_TRUE(nats.wait_connected(10s));
    jsCtx* js = nullptr;
    ASSERT_EQ(natsConnection_JetStream(&js, nats.handle(), nullptr), NATS_OK);
    ASSERT_EQ(js_DeleteMsg(js, stream_name, 7, nullptr, nullptr), NATS_OK);
    ASSERT_TRUE(eventually([&] { return one->stats().repairs == 1 && caught_up(*one); }));
    expect_whole();
    ASSERT_EQ(js_PurgeStream(js, stream_name, nullptr, nullptr), NATS_OK);
    ASSERT_TRUE(eventually([&] { return one->stats().repairs == 2 && caught_up(*one); }));
    expect_whole();
    jsCtx_Destroy(js);
}

TEST_F(MirrorRelay, NoticesAnEventThatSomeoneElsePublished) {
    append_batches(10);
    auto const one = start_relay();
    ASSERT_TRUE(eventually([&] { return caught_up(*one); }));
    nats_connection nats{{.url = server_.url()}};
    ASSERT_TRUE(nats.wait_connected(10s));
    ASSERT_EQ(natsConnection_PublishString(nats.handle(), "linkledger.events.none.forged", "{}"), NATS_OK);
    ASSERT_TRUE(eventually([&] { return one->stats().repairs == 1 && caught_up(*one); }));
    expect_whole();
}

TEST_F(MirrorRelay, VerificationFindsOtherBytes) {
    append_batches(10);
    auto one = start_relay();
    ASSERT_TRUE(eventually([&] { return caught_up(*one); }));
    one.reset();
    // The same log but for one event in the middle.
    nats_connection nats{{.url = server_.url()}};
    ASSERT_TRUE(nats.wait_connected(10s));
    ASSERT_TRUE(nats.delete_stream(stream_name));
    auto const of = history_of(log_->head().value());
    ASSERT_TRUE(nats.create_stream(settings_of(of, 1)));
    publisher out{nats, of, 0, {}};
    auto page = log_->read({.limit = 100'000}).value();
    page.events[4].body.data += " ";
    for (auto const& event : page.events)
        ASSERT_EQ(out.publish(event, true), publish_outcome::done) << out.reason();
    ASSERT_EQ(out.flush(), publish_outcome::done);
    auto const found = verify(nats, *log_, {});
    ASSERT_TRUE(found) << found.error().detail;
    ASSERT_TRUE(found.value().difference);
    EXPECT_THAT(*found.value().difference, HasSubstr("5"));
    EXPECT_FALSE(found.value().whole());
}

TEST_F(MirrorRelay, ReaderGoesOnFromAnyPosition) {
    append_batches(300);
    auto const one = start_relay();
    ASSERT_TRUE(eventually([&] { return caught_up(*one); }));
    nats_connection nats{{.url = server_.url()}};
    ASSERT_TRUE(nats.wait_connected(10s));
    auto const of = history_of(log_->head().value());
    auto const all = log_->read({.limit = 1'000'000}).value().events;
    for (position const after : {position{0}, position{1}, position{777}, head() - 1}) {
        reader from{nats, of, after, 100};
        std::vector<recorded_event> got;
        while (got.size() < all.size() - static_cast<std::size_t>(after)) {
            auto page = from.next(64, 5s);
            ASSERT_TRUE(page) << page.error().detail;
            ASSERT_FALSE(page.value().empty());
            got.insert(got.end(), page.value().begin(), page.value().end());
        }
        EXPECT_TRUE(std::equal(got.begin(), got.end(), all.begin() + after, all.end()));
    }
    reader from{nats, of, head()};
    EXPECT_TRUE(from.next(10, 50ms).value().empty());
    append_batches(1);
    auto const news = from.next(10, 5s);
    ASSERT_TRUE(news) << news.error().detail;
    ASSERT_FALSE(news.value().empty());
    EXPECT_EQ(news.value().front().position, static_cast<position>(all.size()) + 1);
}

TEST(NatsConnection, RefusesAUrlThatIsNone) {
    EXPECT_THROW((nats_connection{{.url = "nats://127.0.0.1:notaport"}}), std::invalid_argument);
}

}  // namespace
}  // namespace linkledger::eventlog::mirror
