// Several writers at once, each with a producer of its own, as the processes of a cluster have.
#include "eventlog/crypto.h"
#include "tests/conformance/log_conformance.h"

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>

namespace linkledger::test {
namespace {

using namespace eventlog;

constexpr int writers = 4;

/// Runs `work(writer)` on as many threads as there are writers.
template <typename Work>
void at_once(Work const& work) {
    std::vector<std::thread> threads;
    for (int writer = 0; writer < writers; ++writer) threads.emplace_back([&work, writer] { work(writer); });
    for (std::thread& thread : threads) thread.join();
}

/// A writer's batches; a conflict of transactions or a busy database is no excuse, but a lost outcome is sent
/// again as the contract says.
class batch_sender {
public:
    explicit batch_sender(event_log& log) : log_(log) {}

    batch_outcome send(std::vector<append_request> appends) {
        append_batch const batch{id_, ++sequence_, std::move(appends)};
        auto outcome = log_.append(batch);
        if (!outcome) {
            ADD_FAILURE() << outcome.error().detail;
            return {};
        }
        return std::move(outcome).value();
    }

private:
    event_log& log_;
    uuid id_ = new_uuid_v7();
    std::int64_t sequence_ = 0;
};

TEST_P(LogWriters, ShareOneGaplessOrder) {
    constexpr int batches = 25;
    at_once([&](int writer) {
        batch_sender from{log()};
        for (int i = 0; i < batches; ++i) {
            from.send({to_stream("own-" + std::to_string(writer)), to_stream("shared"), to_stream("shared")});
        }
    });
    auto const events = everything();
    ASSERT_EQ(events.size(), static_cast<std::size_t>(writers * batches * 3));
    std::map<std::string, version> versions;
    for (std::size_t i = 0; i < events.size(); ++i) {
        EXPECT_EQ(events[i].position, static_cast<position>(i + 1));
        EXPECT_EQ(events[i].version, ++versions[events[i].stream]);
        if (i > 0) {
            EXPECT_GE(events[i].recorded_at, events[i - 1].recorded_at);
        }
    }
    EXPECT_EQ(versions["shared"], writers * batches * 2);
    EXPECT_EQ(head(), writers * batches * 3);
}

TEST_P(LogWriters, ShowAReaderNoGapWhileTheyWrite) {
    std::atomic<bool> done = false;
    std::vector<position> seen;
    std::thread reader{[&] {
        position after = 0;
        for (bool last_round = false; !last_round;) {
            last_round = done;
            read_page const next = page({.after = after, .limit = 7});
            for (recorded_event const& event : next.events) seen.push_back(event.position);
            after = next.scanned_to;
            last_round = last_round && next.events.empty();
        }
    }};
    at_once([&](int) {
        batch_sender from{log()};
        for (int i = 0; i < 25; ++i) from.send({to_stream("a"), to_stream("b")});
    });
    done = true;
    reader.join();
    ASSERT_EQ(seen.size(), static_cast<std::size_t>(writers * 50));
    for (std::size_t i = 0; i < seen.size(); ++i) ASSERT_EQ(seen[i], static_cast<position>(i + 1));
}

TEST_P(LogWriters, FillACapExactly) {
    constexpr version cap = 30;
    std::atomic<int> accepted = 0;
    at_once([&](int) {
        batch_sender from{log()};
        for (int i = 0; i < 10; ++i) {
            auto const outcome = from.send({to_stream("clicks", expected_version::below(cap)),
                                            to_stream("clicks", expected_version::below(cap))});
            for (append_outcome const& one : outcome.outcomes) {
                if (std::holds_alternative<appended>(one)) ++accepted;
            }
        }
    });
    EXPECT_EQ(accepted, cap);
    EXPECT_EQ(version_of("clicks"), cap);
}

TEST_P(LogWriters, WinAVersionOnce) {
    for (version round = 0; round < 10; ++round) {
        std::atomic<int> winners = 0;
        at_once([&](int) {
            auto const outcome = batch_sender{log()}.send({to_stream("a", expected_version::exactly(round))});
            if (std::holds_alternative<appended>(outcome.outcomes.at(0))) ++winners;
        });
        EXPECT_EQ(winners, 1);
    }
    EXPECT_EQ(head(), 10);
}

TEST_P(LogWriters, WinAClaimOnce) {
    for (int round = 0; round < 10; ++round) {
        std::string const key = "key-" + std::to_string(round);
        std::atomic<int> winners = 0;
        at_once([&](int writer) {
            std::string const owner = "owner-" + std::to_string(writer) + '-' + std::to_string(round);
            auto const outcome = batch_sender{log()}.send({acquiring("slug", key, owner)});
            if (std::holds_alternative<appended>(outcome.outcomes.at(0))) ++winners;
        });
        EXPECT_EQ(winners, 1);
    }
    EXPECT_EQ(head(), 10);
}

TEST_P(LogWriters, CarryOutARequestOnce) {
    std::atomic<int> carried_out = 0;
    at_once([&](int) {
        append_request request = to_stream("a");
        request.idempotency = entry("key", "body", "response");
        auto const outcome = batch_sender{log()}.send({request});
        if (std::holds_alternative<appended>(outcome.outcomes.at(0))) ++carried_out;
    });
    EXPECT_EQ(carried_out, 1);
    EXPECT_EQ(head(), 1);
}

TEST_P(LogWriters, DoNotBlockEachOtherByTheOrderOfTheirStreams) {
    at_once([&](int writer) {
        batch_sender from{log()};
        for (int i = 0; i < 25; ++i) {
            append_request request = to_stream(writer % 2 == 0 ? "a" : "b");
            request.streams.push_back({writer % 2 == 0 ? "b" : "a", expected_version::any(), {event()}});
            from.send({request});
        }
    });
    EXPECT_EQ(version_of("a"), writers * 25);
    EXPECT_EQ(version_of("b"), writers * 25);
}

TEST_P(LogWriters, AgreeOnASubjectsKey) {
    std::mutex mutex;
    std::set<uuid> kept;
    at_once([&](int) {
        stored_key const key{new_uuid_v7(), "clicks-today", random_bytes(72)};
        uuid const id = log().add_key(key).value().key_id;
        std::lock_guard const lock{mutex};
        kept.insert(id);
    });
    EXPECT_EQ(kept.size(), 1u);
}

}  // namespace
}  // namespace linkledger::test
