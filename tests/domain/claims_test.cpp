#include "domain/claims.h"

#include "domain/streams.h"
#include "tests/domain/scenario.h"

namespace linkledger::domain {
namespace {

using testing::id;
using testing::noon;

auto const team = id<workspace_id>(1);
auto const ann = id<user_id>(2);
auto const the_link = id<link_id>(3);
auto const invitation = id<invitation_id>(4);

std::string hashed(std::string_view email) {
    return "#" + std::string{email};
}
claim takes(std::string scope, std::string key, std::string owner) {
    return {claim::kind::acquire, std::move(scope), std::move(key), std::move(owner)};
}
claim gives(std::string scope, std::string key, std::string owner) {
    return {claim::kind::release, std::move(scope), std::move(key), std::move(owner)};
}
std::vector<claim> of(event const& happened, workspace::state const& before = {}) {
    return claims_of(happened, before, hashed);
}
workspace::invited ann_was_invited() {
    return {team,
            invitation,
            role::member,
            ann,
            "token-hash",
            noon,
            workspace::invited_personal{"ann@example.com"}};
}

}  // namespace

TEST(Claims, OfALinkFollowItsCode) {
    link::created created;
    created.link_id = the_link;
    created.short_code = "spring";
    std::string const stream = stream_of(the_link);
    EXPECT_EQ(of(created), (std::vector{takes("short_code", "/spring", stream)}));

    link::updated updated{the_link, std::nullopt, {}, {}, std::nullopt};
    EXPECT_TRUE(of(updated).empty());
    updated.before.short_code = "spring";
    updated.after.short_code = "summer";
    EXPECT_EQ(of(updated),
              (std::vector{gives("short_code", "/spring", stream), takes("short_code", "/summer", stream)}));

    EXPECT_EQ(of(link::deleted{the_link, std::nullopt, "summer"}),
              (std::vector{gives("short_code", "/summer", stream),
                           takes("deleted_code", "/summer", "deleted_code")}));
    EXPECT_EQ(of(link::restored{the_link, std::nullopt, "summer"}),
              (std::vector{gives("deleted_code", "/summer", "deleted_code"),
                           takes("short_code", "/summer", stream)}));
}
TEST(Claims, OfADeletedCodeAreSharedByAllWhoHadIt) {
    auto const first = of(link::deleted{the_link, std::nullopt, "summer"});
    auto const second = of(link::deleted{id<link_id>(7), std::nullopt, "summer"});
    EXPECT_EQ(first.back(), second.back());
}
TEST(Claims, OfACodeAreOfItsDomain) {
    auto const domain = id<domain_id>(9);
    EXPECT_EQ(short_code_key(domain, "x"), to_string(domain) + "/x");
    EXPECT_EQ(short_code_key(std::nullopt, "x"), "/x");
}
TEST(Claims, OfAnInvitationEndWithIt) {
    std::string const stream = stream_of(team);
    std::string const address = to_string(team) + "/#ann@example.com";
    EXPECT_EQ(of(ann_was_invited()), (std::vector{takes("invitation", "token-hash", stream),
                                                  takes("invited_email", address, stream)}));
    auto const before = workspace::evolve(workspace::state{}, ann_was_invited());
    std::vector const freed{gives("invitation", "token-hash", stream),
                            gives("invited_email", address, stream)};
    EXPECT_EQ(of(workspace::joined{team, ann, invitation, role::member, ann}, before), freed);
    EXPECT_EQ(of(workspace::invitation_revoked{team, invitation}, before), freed);
}
TEST(Claims, OfAnErasedPersonAreNone) {
    auto erased = ann_was_invited();
    erased.personal.reset();
    EXPECT_EQ(of(erased), (std::vector{takes("invitation", "token-hash", stream_of(team))}));
    EXPECT_TRUE(of(user::registered{ann, std::nullopt}).empty());
}
TEST(Claims, OfAccountsAreAddressPrefixAndSlug) {
    EXPECT_EQ(of(user::registered{ann, user::registered_personal{"ann@example.com", "Ann"}}),
              (std::vector{takes("email", "#ann@example.com", stream_of(ann))}));
    EXPECT_TRUE(of(user::registered{ann, user::registered_personal{std::nullopt, "First admin"}}).empty());
    EXPECT_EQ(of(workspace::created{team, "Team", "team", ann, "free"}),
              (std::vector{takes("slug", "team", stream_of(team))}));

    auto const key = id<api_key_id>(8);
    api_key::issued issued{key, ann, team, "ci", "ll_123456789", "hash", {scope::read}, std::nullopt, false};
    EXPECT_EQ(of(issued), (std::vector{takes("api_key", "ll_123456789", stream_of(key))}));
    issued.root = true;
    EXPECT_EQ(of(issued), (std::vector{takes("api_key", "ll_123456789", stream_of(key)),
                                       takes("bootstrap", "first_admin", stream_of(ann))}));
    EXPECT_TRUE(of(api_key::revoked{key, team, "ll_123456789"}).empty());
}

}  // namespace linkledger::domain
