// Requests that come twice, and batches that come twice.
#include "eventlog/crypto.h"
#include "tests/conformance/log_conformance.h"

namespace linkledger::test {
namespace {

using namespace eventlog;
using testing::ElementsAre;

append_request with(append_request request, idempotency_entry entry) {
    request.idempotency = std::move(entry);
    return request;
}

std::string binary_response() {
    return {"sealed\0\xff", 8};
}

TEST_P(LogIdempotency, AnswersARetryWithWhatTheFirstTryStored) {
    commit_one(to_stream("before"));
    append_request request = to_stream("a", expected_version::none(), 2);
    request.streams.push_back({"b", expected_version::none(), {event()}});
    request = with(request, entry("key", "body", binary_response()));
    EXPECT_THAT(commit_one(request), appended_at(4, {2, 1}));
    commit_one(to_stream("a", expected_version::any(), 5));

    // The retry was made anew: its events and its response differ, and neither matters.
    append_request const retry =
        with(to_stream("a", expected_version::none(), 2), entry("key", "body", "other"));
    EXPECT_THAT(commit_one(retry), replays(4, 2, binary_response()));
    reopen();
    EXPECT_THAT(commit_one(retry), replays(4, 2, binary_response()));
    EXPECT_EQ(head(), 9);
}

TEST_P(LogIdempotency, AnswersARetryInTheSameBatch) {
    EXPECT_THAT(commit({with(to_stream("a"), entry("key", "body", "first")),
                        with(to_stream("a"), entry("key", "body", "second")),
                        with(to_stream("a"), entry("key", "another body", "third")),
                        with(to_stream("a"), entry("another key", "body", "fourth"))})
                    .outcomes,
                ElementsAre(appended_at(1, {1}), replays(1, 1, "first"), mismatches(), appended_at(2, {2})));
}

TEST_P(LogIdempotency, RefusesAnotherBodyUnderTheSameKey) {
    commit_one(with(to_stream("a"), entry("key", "body", "r")));
    EXPECT_THAT(commit_one(with(to_stream("b"), entry("key", "another body", "r"))), mismatches());
    EXPECT_EQ(version_of("b"), 0);
    EXPECT_EQ(head(), 1);
}

TEST_P(LogIdempotency, KeepsNothingOfARefusal) {
    EXPECT_THAT(commit({with(to_stream("a", expected_version::exactly(3)), entry("key", "body", "r")),
                        with(to_stream("a"), entry("key", "changed body", "r2"))})
                    .outcomes,
                ElementsAre(conflicts("a", 0), appended_at(1, {1})));
    commit_one(acquiring("slug", "x", "b"));
    EXPECT_THAT(commit_one(with(acquiring("slug", "x", "c"), entry("key 2", "body", "r"))),
                refused_claim("slug", "x"));
    EXPECT_EQ(log().find_responses({digest_of("key 2")}).value().front(), std::nullopt);
}

TEST_P(LogIdempotency, KeepsTheAnswerOfACommandThatChangedNothing) {
    commit_one(to_stream("a", expected_version::any(), 3));
    append_request nothing;
    nothing.idempotency = entry("key", "body", "unchanged");
    EXPECT_THAT(commit({to_stream("a"), nothing, to_stream("a")}).outcomes,
                ElementsAre(appended_at(4, {4}), appended_at(4, {}), appended_at(5, {5})));
    EXPECT_THAT(commit_one(nothing), replays(4, 0, "unchanged"));

    append_request assertion;
    assertion.streams.push_back({"a", expected_version::any(), {}});
    assertion.idempotency = entry("key 2", "body", "asserted");
    EXPECT_THAT(commit_one(assertion), appended_at(5, {5}));
    EXPECT_THAT(commit_one(assertion), replays(5, 5, "asserted"));
}

TEST_P(LogIdempotency, IsAskedBeforeVersionsAndClaims) {
    append_request const request = with(acquiring("slug", "x", "a"), entry("key", "body", "r"));
    commit_one(request);
    append_request retry = with(to_stream("a", expected_version::none()), entry("key", "body", "r"));
    retry.claims.push_back({claim_change::kind::acquire, "slug", "x", "someone else"});
    EXPECT_THAT(commit_one(retry), replays(1, 1, "r"));
}

TEST_P(LogIdempotency, FindsStoredResponsesInTheOrderAsked) {
    commit({with(to_stream("a"), entry("one", "b1", "r1")), with(to_stream("a"), entry("two", "b2", ""))});
    auto const found =
        log()
            .find_responses({digest_of("two"), digest_of("none"), digest_of("one"), digest_of("two")})
            .value();
    ASSERT_EQ(found.size(), 4u);
    ASSERT_TRUE(found[0] && found[2] && found[3]);
    EXPECT_FALSE(found[1]);
    EXPECT_EQ(found[0]->fingerprint, digest_of("b2"));
    EXPECT_EQ(found[0]->answer, (replayed{2, 2, ""}));
    EXPECT_EQ(found[2]->answer, (replayed{1, 1, "r1"}));
    EXPECT_EQ(found[3]->answer, found[0]->answer);
    EXPECT_TRUE(log().find_responses({}).value().empty());
}

TEST_P(LogIdempotency, ForgetsResponsesStoredBeforeATime) {
    commit({with(to_stream("a"), entry("one", "b", "r")), with(to_stream("a"), entry("two", "b", "r"))});
    timestamp const recorded_at = log().head().value().recorded_at;
    EXPECT_EQ(log().forget_responses(recorded_at - std::chrono::seconds{1}).value(), 0);
    EXPECT_TRUE(log().find_responses({digest_of("one")}).value().front());
    EXPECT_EQ(log().forget_responses(recorded_at + std::chrono::hours{1}).value(), 2);
    EXPECT_FALSE(log().find_responses({digest_of("one")}).value().front());
    EXPECT_THAT(commit_one(with(to_stream("a"), entry("one", "another body", "r"))), appended_at(3, {3}));
}

// ---- Batches that come twice
// --------------------------------------------------------------------------------

void expect_same(batch_outcome const& a, batch_outcome const& b) {
    EXPECT_EQ(a.first_position, b.first_position);
    EXPECT_TRUE(a.outcomes == b.outcomes) << testing::PrintToString(a.outcomes) << "\n"
                                          << testing::PrintToString(b.outcomes);
}

TEST_P(LogResends, ReturnTheStoredOutcomeAndChangeNothing) {
    commit(
        {acquiring("slug", "taken", "z"), with(to_stream("z"), entry("known", "body", binary_response()))});
    append_batch const sent = batch(
        {to_stream("a", expected_version::none(), 2), to_stream("a", expected_version::none()),
         acquiring("slug", "taken", "b"), acquiring("slug", "free", "c"),
         with(to_stream("z"), entry("known", "body", "")), with(to_stream("z"), entry("known", "x", "")),
         with(to_stream("d"), entry("new", "body", "r"))});
    batch_outcome const first = log().append(sent).value();
    EXPECT_FALSE(first.resent);
    EXPECT_THAT(first.outcomes,
                ElementsAre(appended_at(4, {2}), conflicts("a", 2), refused_claim("slug", "taken"),
                            appended_at(5, {1}), replays(2, 2, binary_response()), mismatches(),
                            appended_at(6, {1})));
    position const before = head();

    for (int i = 0; i < 2; ++i) {
        batch_outcome const again = log().append(sent).value();
        EXPECT_TRUE(again.resent);
        expect_same(again, first);
        EXPECT_EQ(head(), before);
        reopen();
    }
    EXPECT_EQ(everything().size(), static_cast<std::size_t>(before));
    EXPECT_EQ(version_of("a"), 2);
}

TEST_P(LogResends, ReturnWhatWasStoredThenWhateverCameLater) {
    append_batch const sent = batch({to_stream("a")});
    batch_outcome const first = log().append(sent).value();
    append_batch const of_another{new_uuid_v7(), 1, {to_stream("a"), to_stream("b")}};
    EXPECT_FALSE(log().append(of_another).value().resent) << "producers count for themselves";
    expect_same(log().append(sent).value(), first);
    EXPECT_EQ(head(), 3);
    EXPECT_THAT(commit_one(to_stream("a")), appended_at(4, {3}));
}

TEST_P(LogResends, OfABatchThatWroteNothingAreKnownToo) {
    append_batch const sent = batch({to_stream("a", expected_version::exactly(1))});
    batch_outcome const first = log().append(sent).value();
    EXPECT_EQ(first.first_position, 1);
    commit_one(to_stream("a"));
    EXPECT_THAT(commit_one(to_stream("b")), appended_at(2, {1}));
    append_batch const late = sent;
    EXPECT_EQ(log().append(late).error().code, failure_code::corrupted)
        << "only the last batch may come again";
}

TEST_P(LogResends, OutOfSequenceAreRefusedAndWriteNothing) {
    uuid const producer = new_uuid_v7();
    auto const send = [&](std::int64_t sequence) {
        append_batch const numbered{producer, sequence, {to_stream("a")}};
        return log().append(numbered);
    };
    for (std::int64_t const wrong : {0, -1, 2, 100}) {
        auto const outcome = send(wrong);
        ASSERT_FALSE(outcome) << wrong;
        EXPECT_EQ(outcome.error().code, failure_code::corrupted) << wrong;
    }
    EXPECT_EQ(head(), 0);
    ASSERT_TRUE(send(1));
    ASSERT_TRUE(send(2));
    for (std::int64_t const wrong : {0, 1, 4}) EXPECT_FALSE(send(wrong)) << wrong;
    EXPECT_EQ(head(), 2);
    EXPECT_TRUE(send(2).value().resent);
    EXPECT_FALSE(send(3).value().resent);
    EXPECT_EQ(head(), 3);
}

}  // namespace
}  // namespace linkledger::test
