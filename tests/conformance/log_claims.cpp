// Uniqueness across streams.
#include "tests/conformance/log_conformance.h"

namespace linkledger::test {
namespace {

using namespace eventlog;
using testing::ElementsAre;

claim_change acquire(std::string key, std::string owner) {
    return {claim_change::kind::acquire, "short_code", std::move(key), std::move(owner)};
}
claim_change release(std::string key, std::string owner) {
    return {claim_change::kind::release, "short_code", std::move(key), std::move(owner)};
}

TEST_P(LogClaims, HaveOneOwner) {
    EXPECT_EQ(owner_of("short_code", "/abc"), std::nullopt);
    EXPECT_THAT(commit_one(acquiring("short_code", "/abc", "link-1")), appended_at(1, {1}));
    EXPECT_EQ(owner_of("short_code", "/abc"), "link-1");
    EXPECT_THAT(commit_one(acquiring("short_code", "/abc", "link-2")), refused_claim("short_code", "/abc"));
    EXPECT_EQ(owner_of("short_code", "/abc"), "link-1");
    EXPECT_EQ(version_of("link-2"), 0);
    EXPECT_EQ(head(), 1);
}

TEST_P(LogClaims, AreApartByScopeAndByKey) {
    EXPECT_THAT(
        commit({acquiring("slug", "x", "a"), acquiring("email", "x", "b"), acquiring("slug", "X", "c"),
                acquiring("slug", "", "d")})
            .outcomes,
        ElementsAre(appended_at(1, {1}), appended_at(2, {1}), appended_at(3, {1}), appended_at(4, {1})));
    EXPECT_EQ(owner_of("slug", "x"), "a");
    EXPECT_EQ(owner_of("email", "x"), "b");
    EXPECT_EQ(owner_of("slug", "X"), "c");
    EXPECT_EQ(owner_of("slug", ""), "d");
}

TEST_P(LogClaims, AreRefusedToTheSecondOfOneBatchToo) {
    EXPECT_THAT(commit({acquiring("slug", "x", "a"), acquiring("slug", "x", "b"), to_stream("c")}).outcomes,
                ElementsAre(appended_at(1, {1}), refused_claim("slug", "x"), appended_at(2, {1})));
    EXPECT_EQ(owner_of("slug", "x"), "a");
}

TEST_P(LogClaims, MayBeAcquiredAgainByTheirOwner) {
    commit_one(acquiring("slug", "x", "a"));
    EXPECT_THAT(commit_one(acquiring("slug", "x", "a")), appended_at(2, {2}));
    EXPECT_EQ(owner_of("slug", "x"), "a");
}

TEST_P(LogClaims, AreFreeAfterARelease) {
    commit_one(acquiring("slug", "x", "a"));
    EXPECT_THAT(commit_one(releasing("slug", "x", "a")), appended_at(2, {2}));
    EXPECT_EQ(owner_of("slug", "x"), std::nullopt);
    EXPECT_THAT(commit_one(acquiring("slug", "x", "b")), appended_at(3, {1}));
    reopen();
    EXPECT_EQ(owner_of("slug", "x"), "b");
}

TEST_P(LogClaims, StayWhereAnotherReleasesThem) {
    commit_one(acquiring("slug", "x", "a"));
    EXPECT_THAT(commit_one(releasing("slug", "x", "b")), appended_at(2, {1}));
    EXPECT_THAT(commit_one(releasing("slug", "nobody's", "b")), appended_at(3, {2}));
    EXPECT_EQ(owner_of("slug", "x"), "a");
}

TEST_P(LogClaims, ChangeHandsWithinOneAppendAndOneBatch) {
    commit_one(acquiring("short_code", "old", "a"));
    append_request transfer = to_stream("b");
    transfer.claims = {acquire("old", "b"), release("old", "a")};
    EXPECT_THAT(commit_one(transfer), appended_at(2, {1})) << "releases come first";
    EXPECT_EQ(owner_of("short_code", "old"), "b");

    EXPECT_THAT(commit({releasing("short_code", "old", "b"), acquiring("short_code", "old", "c"),
                        acquiring("short_code", "old", "d"), releasing("short_code", "old", "c")})
                    .outcomes,
                ElementsAre(appended_at(3, {2}), appended_at(4, {1}), refused_claim("short_code", "old"),
                            appended_at(5, {2})));
    EXPECT_EQ(owner_of("short_code", "old"), std::nullopt);
}

TEST_P(LogClaims, ChangeTogetherOrNotAtAll) {
    commit_one(acquiring("short_code", "taken", "a"));
    commit_one(acquiring("short_code", "mine", "b"));
    append_request request = to_stream("b");
    request.claims = {release("mine", "b"), acquire("free", "b"), acquire("taken", "b")};
    EXPECT_THAT(commit({request, to_stream("c")}).outcomes,
                ElementsAre(refused_claim("short_code", "taken"), appended_at(3, {1})));
    EXPECT_EQ(owner_of("short_code", "mine"), "b");
    EXPECT_EQ(owner_of("short_code", "free"), std::nullopt);
    EXPECT_EQ(version_of("b"), 1);
}

TEST_P(LogClaims, StayWhereTheVersionConflicts) {
    append_request request = to_stream("a", expected_version::exactly(5));
    request.claims = {acquire("x", "a")};
    EXPECT_THAT(commit_one(request), conflicts("a", 0));
    EXPECT_EQ(owner_of("short_code", "x"), std::nullopt);
}

TEST_P(LogClaims, OfOneAppendAreRefusedToASecondOwner) {
    append_request request = to_stream("a");
    request.claims = {acquire("x", "a"), acquire("x", "b")};
    EXPECT_THAT(commit_one(request), refused_claim("short_code", "x"));
    EXPECT_EQ(owner_of("short_code", "x"), std::nullopt);
}

}  // namespace
}  // namespace linkledger::test
