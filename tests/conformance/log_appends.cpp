// Positions, versions and expectations; stored bytes.
#include "eventlog/crypto.h"
#include "eventlog/leaf_hash.h"
#include "tests/conformance/log_conformance.h"

namespace linkledger::test {
namespace {

using namespace eventlog;
using testing::ElementsAre;
using testing::IsEmpty;

TEST_P(LogAppends, StartEmptyWithAnIdOfTheirOwn) {
    log_head const head = log().head().value();
    EXPECT_FALSE(head.log_id.is_nil());
    EXPECT_EQ(head.epoch, 1);
    EXPECT_EQ(head.last, 0);
    EXPECT_EQ(head.recorded_at, timestamp{});
    EXPECT_THAT(everything(), IsEmpty());
    EXPECT_EQ(version_of("link-1"), 0);
}

TEST_P(LogAppends, KeepTheLogsIdentityAndHeadAcrossReopening) {
    commit_one(to_stream("a", expected_version::any(), 3));
    log_head const before = log().head().value();
    reopen();
    log_head const after = log().head().value();
    EXPECT_EQ(after.log_id, before.log_id);
    EXPECT_EQ(after.epoch, before.epoch);
    EXPECT_EQ(after.last, 3);
    EXPECT_EQ(after.recorded_at, before.recorded_at);
    EXPECT_THAT(commit_one(to_stream("a")), appended_at(4, {4}));
}

TEST_P(LogAppends, GoOnInAnotherEpoch) {
    commit_one(to_stream("a", expected_version::any(), 3));
    log_head const before = log().head().value();
    log_head const raised = log().raise_epoch().value();
    EXPECT_EQ(raised.log_id, before.log_id);
    EXPECT_EQ(raised.epoch, before.epoch + 1);
    EXPECT_EQ(raised.last, 3);
    EXPECT_THAT(commit_one(to_stream("a")), appended_at(4, {4}));
    reopen();
    EXPECT_EQ(log().head().value().epoch, raised.epoch);
}

TEST_P(LogAppends, GivePositionsFromOneWithoutGapsInOrder) {
    auto const first = commit({to_stream("a"), to_stream("b", expected_version::any(), 2)});
    EXPECT_EQ(first.first_position, 1);
    EXPECT_THAT(first.outcomes, ElementsAre(appended_at(1, {1}), appended_at(3, {2})));
    auto const second = commit({to_stream("a"), to_stream("a")});
    EXPECT_EQ(second.first_position, 4);
    EXPECT_THAT(second.outcomes, ElementsAre(appended_at(4, {2}), appended_at(5, {3})));

    auto const events = everything();
    ASSERT_EQ(events.size(), 5u);
    std::vector<std::pair<std::string, version>> places;
    for (std::size_t i = 0; i < events.size(); ++i) {
        EXPECT_EQ(events[i].position, static_cast<position>(i + 1));
        places.emplace_back(events[i].stream, events[i].version);
    }
    EXPECT_THAT(places, ElementsAre(std::pair{"a", 1}, std::pair{"b", 1}, std::pair{"b", 2},
                                    std::pair{"a", 2}, std::pair{"a", 3}));
    EXPECT_EQ(head(), 5);
}

TEST_P(LogAppends, TakeNoPositionForWhatIsRefused) {
    commit_one(to_stream("a"));
    auto const outcome = commit({to_stream("a", expected_version::none(), 3)});
    EXPECT_THAT(outcome.outcomes, ElementsAre(conflicts("a", 1)));
    EXPECT_EQ(outcome.first_position, 2) << "head + 1 when nothing was written";
    EXPECT_THAT(commit_one(to_stream("b")), appended_at(2, {1}));
}

TEST_P(LogAppends, HoldAStreamToTheVersionExpected) {
    EXPECT_THAT(commit_one(to_stream("a", expected_version::exactly(1))), conflicts("a", 0));
    EXPECT_THAT(commit_one(to_stream("a", expected_version::none(), 2)), appended_at(2, {2}));
    EXPECT_THAT(commit_one(to_stream("a", expected_version::none())), conflicts("a", 2));
    EXPECT_THAT(commit_one(to_stream("a", expected_version::exactly(1))), conflicts("a", 2));
    EXPECT_THAT(commit_one(to_stream("a", expected_version::exactly(3))), conflicts("a", 2));
    EXPECT_THAT(commit_one(to_stream("a", expected_version::exactly(2))), appended_at(3, {3}));
    EXPECT_THAT(commit_one(to_stream("a", expected_version::any())), appended_at(4, {4}));
    EXPECT_EQ(version_of("a"), 4);
}

TEST_P(LogAppends, HoldAStreamBelowItsCap) {
    EXPECT_THAT(commit_one(to_stream("c", expected_version::below(0))), conflicts("c", 0));
    EXPECT_THAT(commit_one(to_stream("c", expected_version::below(3), 4)), conflicts("c", 0));
    EXPECT_THAT(commit_one(to_stream("c", expected_version::below(3), 2)), appended_at(2, {2}));
    EXPECT_THAT(commit_one(to_stream("c", expected_version::below(3), 2)), conflicts("c", 2));
    EXPECT_THAT(commit_one(to_stream("c", expected_version::below(3))), appended_at(3, {3}));
    EXPECT_THAT(commit_one(to_stream("c", expected_version::below(3))), conflicts("c", 3));
    EXPECT_THAT(commit_one(to_stream("c", expected_version::below(4))), appended_at(4, {4}));
}

TEST_P(LogAppends, HoldTheCapInsideOneBatch) {
    std::vector<append_request> clicks;
    for (int i = 0; i < 5; ++i) clicks.push_back(to_stream("clicks", expected_version::below(3)));
    EXPECT_THAT(commit(std::move(clicks)).outcomes,
                ElementsAre(appended_at(1, {1}), appended_at(2, {2}), appended_at(3, {3}),
                            conflicts("clicks", 3), conflicts("clicks", 3)));
    EXPECT_EQ(head(), 3);
}

TEST_P(LogAppends, SeeTheOnesBeforeThemInTheirBatchAndFailAlone) {
    EXPECT_THAT(commit({to_stream("a", expected_version::none()), to_stream("a", expected_version::none()),
                        to_stream("a", expected_version::exactly(1), 2),
                        to_stream("b", expected_version::exactly(9)), to_stream("b")})
                    .outcomes,
                ElementsAre(appended_at(1, {1}), conflicts("a", 1), appended_at(3, {3}), conflicts("b", 0),
                            appended_at(4, {1})));
    EXPECT_EQ(everything().size(), 4u);
}

TEST_P(LogAppends, WriteSeveralStreamsOrNone) {
    append_request both = to_stream("a", expected_version::none(), 2);
    both.streams.push_back({"b", expected_version::none(), {event()}});
    EXPECT_THAT(commit_one(both), appended_at(3, {2, 1}));

    append_request half = to_stream("c", expected_version::none());
    half.streams.push_back({"b", expected_version::none(), {event()}});
    EXPECT_THAT(commit_one(half), conflicts("b", 1));
    EXPECT_EQ(version_of("c"), 0);
    EXPECT_EQ(head(), 3);
}

TEST_P(LogAppends, AssertAVersionWithoutWriting) {
    commit_one(to_stream("a", expected_version::none(), 2));
    append_request good = to_stream("b");
    good.streams.push_back({"a", expected_version::exactly(2), {}});
    EXPECT_THAT(commit_one(good), appended_at(3, {1, 2}));

    append_request stale = to_stream("b");
    stale.streams.push_back({"a", expected_version::exactly(1), {}});
    EXPECT_THAT(commit_one(stale), conflicts("a", 2));

    append_request alone;
    alone.streams.push_back({"a", expected_version::below(3), {}});
    EXPECT_THAT(commit_one(alone), appended_at(3, {2})) << "the head, when there was no event";
    EXPECT_EQ(version_of("a"), 2);
    EXPECT_EQ(head(), 3);
}

TEST_P(LogAppends, LeaveNoTraceOfAnAssertionOnAStreamThatIsNot) {
    append_request request = to_stream("a");
    request.streams.push_back({"ghost", expected_version::none(), {}});
    EXPECT_THAT(commit_one(request), appended_at(1, {1, 0}));
    EXPECT_EQ(version_of("ghost"), 0);
    EXPECT_THAT(commit_one(to_stream("ghost", expected_version::none())), appended_at(2, {1}));
}

TEST_P(LogAppends, AcceptABatchOfNothing) {
    EXPECT_EQ(commit({}).first_position, 1);
    EXPECT_THAT(commit_one(append_request{}), appended_at(0, {}));
    EXPECT_THAT(commit_one(to_stream("a")), appended_at(1, {1}));
}

event_body body_with_every_field() {
    std::string all_bytes;
    for (int c = 0; c < 256; ++c) all_bytes += static_cast<char>(c);
    event_body body;
    body.event_id = new_uuid_v7();
    body.type = "link.updated";
    body.schema_version = 7;
    body.workspace_id = new_uuid_v7();
    body.data = "{ \"title\" : \"é€😀 \\u0000 \\\\ ' \\\" ; --\",\n\t\"n\":1.50, \"a\":1, \"a\":2 }";
    body.personal = {new_uuid_v7(), all_bytes};
    body.context = {new_uuid_v7(), std::string(3, '\0')};
    body.metadata = "{\"actor\":{\"kind\":\"key\"}} ";
    body.occurred_at = domain::from_unix_us(1'700'000'000'123'457);
    body.salt = new_salt();
    return body;
}

TEST_P(LogAppends, GiveStoredBytesBackAsTheyWere) {
    event_body empty;
    empty.event_id = new_uuid_v7();
    event_body large = event("link.created", '"' + std::string(1 << 20, 'x') + '"');
    large.occurred_at = domain::from_unix_us(-1);
    std::vector<event_body> const bodies{body_with_every_field(), empty, large};
    append_request request;
    request.streams.push_back({"strange 'stream' é", expected_version::none(), bodies});
    EXPECT_THAT(commit_one(request), appended_at(3, {3}));

    reopen();
    auto const by_position = everything();
    auto const by_stream = log().read_stream("strange 'stream' é", 0, 10).value();
    ASSERT_EQ(by_position.size(), 3u);
    ASSERT_EQ(by_stream.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_TRUE(by_position[i].body == bodies[i]) << "event " << i;
        EXPECT_TRUE(by_stream[i] == by_position[i]) << "event " << i;
    }
}

TEST_P(LogAppends, CommitToEveryEventByItsLeafHash) {
    append_request request;
    request.streams.push_back({"a", expected_version::any(), {body_with_every_field(), event()}});
    commit({request, to_stream("b")});
    commit({to_stream("a")});
    auto const events = everything();
    ASSERT_EQ(events.size(), 4u);
    for (recorded_event const& stored : events) EXPECT_EQ(stored.leaf_hash, leaf_hash_of(stored));
}

TEST_P(LogAppends, RecordTimesThatNeverDecrease) {
    timestamp const start = now();
    timestamp last{};
    for (int i = 0; i < 20; ++i) {
        auto const outcome = commit({to_stream("a"), to_stream("b")});
        ASSERT_EQ(outcome.outcomes.size(), 2u);
        timestamp const recorded_at = std::get<appended>(outcome.outcomes[0]).recorded_at;
        EXPECT_EQ(std::get<appended>(outcome.outcomes[1]).recorded_at, recorded_at);
        EXPECT_GE(recorded_at, last);
        EXPECT_EQ(log().head().value().recorded_at, recorded_at);
        last = recorded_at;
    }
    EXPECT_GT(last, start - std::chrono::minutes{1});
    auto const events = everything();
    for (std::size_t i = 1; i < events.size(); ++i) {
        EXPECT_GE(events[i].recorded_at, events[i - 1].recorded_at);
    }
    EXPECT_EQ(events.back().recorded_at, last);
}

}  // namespace
}  // namespace linkledger::test
