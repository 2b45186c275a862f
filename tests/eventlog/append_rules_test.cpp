// What the conformance suite cannot see of the append rules: the rows of a plan, and the bytes of an outcome.
#include "eventlog/append_rules.h"

#include "eventlog/leaf_hash.h"

#include <gmock/gmock.h>

namespace linkledger::eventlog {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

/// A log that holds stream `old` at version 5 and the claim (slug, taken), and counts what it is asked.
class small_log final : public append_view {
public:
    version stream_version(std::string const& stream) override { return ++asked, stream == "old" ? 5 : 0; }
    std::optional<std::string> claim_owner(std::string const&, std::string const& key) override {
        ++asked;
        return key == "taken" ? std::optional<std::string>{"old"} : std::nullopt;
    }
    std::optional<stored_response> find_response(digest const&) override { return std::nullopt; }
    int asked = 0;
};

append_request to_stream(std::string stream, std::size_t events) {
    append_request request;
    request.streams.push_back({std::move(stream), expected_version::any(), std::vector<event_body>(events)});
    return request;
}

constexpr timestamp noon = domain::from_unix_us(1'700'000'000'000'000);

log_head head_at(position last, timestamp recorded_at = noon) {
    return {.last = last, .recorded_at = recorded_at};
}

TEST(AppendPlan, HoldsTheRowsToWrite) {
    small_log log;
    append_batch batch;
    batch.appends = {to_stream("new", 2), to_stream("old", 1), to_stream("new", 1)};
    batch.appends[1].claims = {{claim_change::kind::release, "slug", "taken", "old"},
                               {claim_change::kind::acquire, "slug", "free", "old"}};
    batch_plan const plan = plan_batch(batch, head_at(10), noon, log);
    EXPECT_EQ(plan.last, 14);
    ASSERT_EQ(plan.events.size(), 4u);
    EXPECT_EQ(plan.events.back().position, 14);
    EXPECT_EQ(plan.events.back().version, 3);
    EXPECT_EQ(*plan.events.back().stream, "new");
    EXPECT_EQ(plan.events.back().body, &batch.appends[2].streams[0].events[0]);
    EXPECT_EQ(*plan.events[2].stream, "old");
    EXPECT_EQ(plan.events[2].version, 6);
    EXPECT_THAT(plan.claims, ElementsAre(Pair(claim_key{"slug", "free"}, std::optional<std::string>{"old"}),
                                         Pair(claim_key{"slug", "taken"}, std::nullopt)));
}

TEST(AppendPlan, AsksForAStreamOnce) {
    small_log log;
    append_batch batch;
    for (int i = 0; i < 64; ++i) batch.appends.push_back(to_stream("hot", 1));
    EXPECT_EQ(plan_batch(batch, head_at(0), noon, log).events.back().version, 64);
    EXPECT_EQ(log.asked, 1);
}

TEST(AppendPlan, OfRefusedAppendsHoldsNoRows) {
    small_log log;
    append_batch batch;
    batch.appends = {to_stream("old", 1), to_stream("new", 1)};
    batch.appends[0].streams[0].expected = expected_version::none();
    batch.appends[1].claims = {{claim_change::kind::acquire, "slug", "free", "new"},
                               {claim_change::kind::acquire, "slug", "taken", "new"}};
    batch_plan const plan = plan_batch(batch, head_at(10), noon, log);
    EXPECT_EQ(plan.last, 10);
    EXPECT_THAT(plan.events, IsEmpty());
    EXPECT_TRUE(plan.claims.empty());
}

TEST(AppendPlan, DoesNotFollowAClockThatWentBack) {
    small_log log;
    append_batch const batch{.appends = {to_stream("a", 1)}};
    EXPECT_EQ(plan_batch(batch, head_at(1, noon), noon - std::chrono::hours{1}, log).recorded_at, noon);
    timestamp const later = noon + std::chrono::microseconds{1};
    EXPECT_EQ(plan_batch(batch, head_at(1, noon), later, log).recorded_at, later);
}

TEST(AppendPlan, BecomesRecordedEvents) {
    small_log log;
    append_batch const batch{.appends = {to_stream("old", 1)}};
    batch_plan const plan = plan_batch(batch, head_at(41), noon, log);
    recorded_event const recorded = to_recorded(plan.events[0], plan.recorded_at);
    EXPECT_EQ(recorded.position, 42);
    EXPECT_EQ(recorded.version, 6);
    EXPECT_EQ(recorded.stream, "old");
    EXPECT_EQ(recorded.leaf_hash, leaf_hash_of(recorded));
}

TEST(BatchRelation, TellsTheNextFromTheSameFromABug) {
    EXPECT_EQ(relation_of(1, 0), batch_relation::next);
    EXPECT_EQ(relation_of(0, 0), batch_relation::wrong);
    EXPECT_EQ(relation_of(7, 7), batch_relation::resent);
    EXPECT_EQ(relation_of(8, 7), batch_relation::next);
    EXPECT_EQ(relation_of(6, 7), batch_relation::wrong);
    EXPECT_EQ(relation_of(9, 7), batch_relation::wrong);
}

TEST(OutcomeBytes, HoldEveryKindOfOutcome) {
    batch_outcome outcome;
    outcome.first_position = 7;
    outcome.outcomes = {appended{9, {1, 2, 3}, noon}, appended{9, {}, noon},
                        version_conflict{"a", 4},     claim_taken{"slug", std::string("x\0y", 3)},
                        replayed{3, 2, "sealed"},     idempotency_mismatch{}};
    std::string const bytes = encode_outcome(outcome);
    auto const read = decode_outcome(bytes);
    ASSERT_TRUE(read);
    EXPECT_TRUE(read->resent);
    EXPECT_EQ(read->first_position, 7);
    EXPECT_TRUE(read->outcomes == outcome.outcomes);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_FALSE(decode_outcome(std::string_view{bytes}.substr(0, size))) << size << " bytes";
    }
    EXPECT_FALSE(decode_outcome(bytes + '\0'));
}

}  // namespace
}  // namespace linkledger::eventlog
