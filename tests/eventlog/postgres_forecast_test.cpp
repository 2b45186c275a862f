// What a writer expects of its next batch, and that hashes are right where it was wrong.

#include "eventlog/postgres_forecast.h"
#include "eventlog/crypto.h"
#include "eventlog/leaf_hash.h"
#include "eventlog/postgres_log.h"
#include "eventlog/sql/connection.h"
#include "tests/eventlog/postgres_writers.h"
#include "tests/support/postgres_server.h"

#include <gtest/gtest.h>

namespace linkledger::test {
namespace {

using namespace eventlog;

batch_outcome one_appended(position at, version v) {
    return {{appended{at, {v}, now()}}, at, false};
}

TEST(PostgresForecast, ExpectsWhatFollowsItsOwnLastBatch) {
    postgres_forecast forecast;
    append_batch const batch{new_uuid_v7(), 1, {one_event("a")}};
    EXPECT_FALSE(forecast.is_likely());
    forecast.learn(batch, one_appended(8, 3));
    EXPECT_TRUE(forecast.is_likely());
    EXPECT_EQ(forecast.head(), 8);
    EXPECT_EQ(forecast.version_of("a"), 3);
    EXPECT_EQ(forecast.version_of("b"), 0);
    auto const expected = forecast.recorded_at();
    EXPECT_LE(expected, now());
}

TEST(PostgresForecast, ExpectsNothingWhileOthersWrite) {
    postgres_forecast forecast;
    append_batch const batch{new_uuid_v7(), 1, {one_event("a")}};
    forecast.learn(batch, one_appended(1, 1));
    forecast.learn(batch, one_appended(3, 2));
    EXPECT_FALSE(forecast.is_likely());
    forecast.learn(batch, one_appended(4, 3));
    EXPECT_TRUE(forecast.is_likely());
}

TEST(PostgresForecast, ExpectsNothingAfterAnAnswerThatWasLost) {
    postgres_forecast forecast;
    append_batch const batch{new_uuid_v7(), 1, {one_event("a")}};
    forecast.learn(batch, one_appended(1, 1));
    auto again = one_appended(2, 2);
    again.resent = true;
    forecast.learn(batch, again);
    EXPECT_FALSE(forecast.is_likely());
}

TEST(PostgresForecast, NeverGoesBackInTime) {
    postgres_forecast forecast;
    append_batch const batch{new_uuid_v7(), 1, {one_event("a")}};
    auto ahead = one_appended(1, 1);
    auto const later = now() + std::chrono::seconds{5};
    std::get<appended>(ahead.outcomes[0]).recorded_at = later;
    forecast.learn(batch, ahead);
    EXPECT_EQ(forecast.recorded_at(), later);
}

TEST(PostgresForecast, LeavesHashesRightWhetherItWasOrNot) {
    std::string const url = fresh_migrated_database();
    auto const here = open_log(url), elsewhere = open_log(url);
    append_batch mine{new_uuid_v7(), 0, {one_event("a"), one_event("b"), one_event("a")}};
    append_batch theirs{new_uuid_v7(), 0, {one_event("b")}};
    auto const append = [](event_log& log, append_batch& batch) {
        ++batch.sequence;
        for (auto& each : batch.appends) each.streams[0].events[0].event_id = new_uuid_v7();
        ASSERT_TRUE(log.append(batch));
    };
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 3; ++i) append(*here, mine);
        append(*elsewhere, theirs);
    }
    append(*here, mine);
    // A head that moves back in time is none that a clock can follow.
    sql::open_postgres({.url = url})->execute("UPDATE log_head SET recorded_us = recorded_us + 60000000");
    append(*here, mine);
    append(*here, mine);
    auto const all = here->read({}).value().events;
    ASSERT_EQ(all.size(), 39u);
    for (std::size_t i = 0; i < all.size(); ++i) {
        EXPECT_EQ(all[i].leaf_hash, leaf_hash_of(all[i])) << "position " << all[i].position;
        if (i > 0) {
            EXPECT_GE(all[i].recorded_at, all[i - 1].recorded_at);
        }
    }
}

}  // namespace
}  // namespace linkledger::test
