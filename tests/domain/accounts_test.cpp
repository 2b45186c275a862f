#include "domain/api_key/api_key.h"
#include "domain/user/user.h"
#include "tests/domain/scenario.h"

namespace linkledger::domain {

using testing::id;
using testing::noon;

namespace user {
namespace {
using given = testing::scenario<state>;
auto const ann = id<user_id>(1);
}  // namespace

TEST(RegisterUser, KeepsNameAndAddressInThePersonalPart) {
    given({})
        .when(register_user{ann, "Ann@Example.com", " Ann "})
        .then({registered{ann, registered_personal{"ann@example.com", "Ann"}}});
}
TEST(RegisterUser, NeedsNoAddressForTheFirstAdmin) {
    given({})
        .when(register_user{ann, std::nullopt, "First admin"})
        .then({registered{ann, registered_personal{std::nullopt, "First admin"}}});
}
TEST(RegisterUser, WritesNothingWhenRepeated) {
    given({registered{ann, registered_personal{"ann@example.com", "Ann"}}})
        .when(register_user{ann, "ann@example.com", "Ann"})
        .then_nothing();
}
TEST(RegisterUser, WantsAName) {
    given({}).when(register_user{ann, "ann@example.com", ""}).then_invalid({"name"});
}
TEST(User, IsKnownByIdAloneOnceErased) {
    auto const s = given({registered{ann, std::nullopt}}).state();
    EXPECT_TRUE(s.exists);
    EXPECT_FALSE(s.email);
}
}  // namespace user

namespace api_key {
namespace {
using given = testing::scenario<state>;

auto const the_key = id<api_key_id>(1);
auto const team = id<workspace_id>(2);
auto const ann = id<user_id>(3);
auto const bob = id<user_id>(4);

issued was_issued() {
    return {the_key, ann, team, "ci", "ll_123456789", "hash", {scope::read}, noon + std::chrono::hours{1},
            false};
}
issue_api_key issue(std::optional<role> as) {
    issue_api_key command;
    command.api_key_id = the_key;
    command.user_id = ann;
    command.workspace_id = team;
    command.name = "ci";
    command.prefix = "ll_123456789";
    command.key_hash = "hash";
    command.scopes = {scope::read, scope::read};
    command.expires_at = noon + std::chrono::hours{1};
    command.now = noon;
    command.by = standing{ann, as};
    return command;
}
caller by(user_id const& who, std::optional<workspace_id> bound = {}) {
    return {who, id<api_key_id>(9), bound, {scope::admin}, false};
}
}  // namespace

TEST(IssueApiKey, IsForAdmins) {
    given({}).when(issue(role::admin)).then({was_issued()});
    given({}).when(issue(role::member)).then_refused(refusal_code::forbidden);
    given({}).when(issue(std::nullopt)).then_refused(refusal_code::not_found);
}
TEST(IssueApiKey, WritesNothingWhenRepeated) {
    given({was_issued()}).when(issue(role::admin)).then_nothing();
}
TEST(IssueApiKey, NamesEveryFieldThatBreaksARule) {
    auto command = issue(role::admin);
    command.name = "";
    command.scopes = {};
    command.expires_at = noon;
    given({}).when(command).then_invalid({"name", "scopes", "expires_at"});
}
TEST(RevokeApiKey, IsForItsUserAndForAdminsOfItsWorkspace) {
    given({was_issued()})
        .when(revoke_api_key{by(ann), role::member})
        .then({revoked{the_key, team, "ll_123456789"}});
    given({was_issued()})
        .when(revoke_api_key{by(bob), role::admin})
        .then({revoked{the_key, team, "ll_123456789"}});
    given({was_issued()}).when(revoke_api_key{by(bob), role::member}).then_refused(refusal_code::not_found);
    given({was_issued()}).when(revoke_api_key{by(bob), std::nullopt}).then_refused(refusal_code::not_found);
}
TEST(RevokeApiKey, IsClosedToAKeyOfAnotherWorkspace) {
    given({was_issued()})
        .when(revoke_api_key{by(ann, id<workspace_id>(7)), std::nullopt})
        .then_refused(refusal_code::not_found);
}
TEST(RevokeApiKey, WritesNothingWhenRepeated) {
    given({was_issued(), revoked{the_key, team, "ll_123456789"}})
        .when(revoke_api_key{by(ann), role::member})
        .then_nothing();
}
TEST(RevokeApiKey, IsRefusedForAnUnknownKey) {
    given({}).when(revoke_api_key{by(ann), role::owner}).then_refused(refusal_code::not_found);
}
TEST(ApiKey, IsValidUntilItExpiresOrIsRevoked) {
    auto const key = given({was_issued()}).state();
    EXPECT_TRUE(is_valid(key, noon));
    EXPECT_FALSE(is_valid(key, noon + std::chrono::hours{1}));
    EXPECT_FALSE(is_valid(given({was_issued(), revoked{the_key, team, "ll_123456789"}}).state(), noon));
    EXPECT_FALSE(is_valid(state{}, noon));
}
TEST(ApiKey, StandsForItsUserInItsWorkspace) {
    EXPECT_EQ(caller_of(given({was_issued()}).state()), (caller{ann, the_key, team, {scope::read}, false}));
}
}  // namespace api_key

}  // namespace linkledger::domain
