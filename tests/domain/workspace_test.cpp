#include "domain/workspace/workspace.h"

#include "tests/domain/scenario.h"

#include <rapidcheck/gtest.h>

namespace linkledger::domain::workspace {
namespace {

using testing::id;
using testing::noon;
using given = testing::scenario<state>;

auto const team = id<workspace_id>(1);
auto const owner = id<user_id>(10);
auto const admin = id<user_id>(11);
auto const member = id<user_id>(12);
auto const stranger = id<user_id>(13);
auto const invitation_1 = id<invitation_id>(20);
auto const invitation_2 = id<invitation_id>(21);

caller by(user_id const& who) {
    return {who, id<api_key_id>(99), team, {scope::admin}, false};
}
caller with_any_workspace(user_id const& who) {
    return {who, id<api_key_id>(99), std::nullopt, {scope::admin}, false};
}
caller root() {
    return {stranger, id<api_key_id>(98), std::nullopt, {scope::admin}, true};
}

event was_created() {
    return created{team, "Team", "team", owner, "free"};
}
event has_joined(user_id const& who, role as) {
    return joined{team, who, id<invitation_id>(40), as, owner};
}
invited invitation_for(std::string email, invitation_id const& as = invitation_1, role with = role::member) {
    return {team, as, with, owner, "hash", noon + std::chrono::hours{1}, invited_personal{std::move(email)}};
}
std::vector<event> three_members() {
    return {was_created(), has_joined(admin, role::admin), has_joined(member, role::member)};
}
invite_member invite(std::string email, role as, caller who) {
    return {invitation_1, std::move(email), as, "hash", noon + std::chrono::hours{1}, {},
            noon,         std::move(who)};
}

}  // namespace

TEST(CreateWorkspace, MakesItsCreatorTheOwner) {
    given({}).when(create_workspace{team, " Team ", "team", with_any_workspace(owner)}).then({was_created()});
    EXPECT_EQ(standing_of(given({was_created()}).state(), by(owner)).role, role::owner);
}
TEST(CreateWorkspace, WritesNothingWhenRepeated) {
    given({was_created()})
        .when(create_workspace{team, "Team", "team", with_any_workspace(owner)})
        .then_nothing();
}
TEST(CreateWorkspace, NamesEveryFieldThatBreaksARule) {
    given({})
        .when(create_workspace{team, " ", "Not a slug", with_any_workspace(owner)})
        .then_invalid({"name", "slug"});
}
TEST(CreateWorkspace, IsForbiddenWithAKeyThatIsForOneWorkspace) {
    given({}).when(create_workspace{team, "Team", "team", by(owner)}).then_refused(refusal_code::forbidden);
}

TEST(RenameWorkspace, KeepsTheOldNameInTheEvent) {
    given({was_created()}).when(rename_workspace{"Crew", by(owner)}).then({renamed{team, "Team", "Crew"}});
}
TEST(RenameWorkspace, WritesNothingWhenTheNameIsTheSame) {
    given({was_created()}).when(rename_workspace{"Team", by(owner)}).then_nothing();
}
TEST(RenameWorkspace, IsForbiddenForAMember) {
    given(three_members()).when(rename_workspace{"Crew", by(member)}).then_refused(refusal_code::forbidden);
}
TEST(RenameWorkspace, LooksAbsentToStrangers) {
    given(three_members()).when(rename_workspace{"Crew", by(stranger)}).then_refused(refusal_code::not_found);
    given({}).when(rename_workspace{"Crew", root()}).then_refused(refusal_code::not_found);
}
TEST(RenameWorkspace, IsOpenToTheFirstAdminKeyEverywhere) {
    given(three_members()).when(rename_workspace{"Crew", root()}).then({renamed{team, "Team", "Crew"}});
}
TEST(RenameWorkspace, IsClosedToAKeyOfAnotherWorkspace) {
    caller other = by(owner);
    other.workspace_id = id<workspace_id>(2);
    given(three_members()).when(rename_workspace{"Crew", other}).then_refused(refusal_code::not_found);
}

TEST(InviteMember, KeepsTheAddressInThePersonalPart) {
    given({was_created()})
        .when(invite("Ann@Example.com", role::member, by(owner)))
        .then({invitation_for("ann@example.com")});
}
TEST(InviteMember, IsOpenToAdminsForEveryRoleButOwner) {
    given(three_members())
        .when(invite("a@example.com", role::owner, by(admin)))
        .then_refused(refusal_code::forbidden);
    EXPECT_EQ(given(three_members()).when(invite("a@example.com", role::admin, by(admin))).events().size(),
              1u);
    EXPECT_EQ(given(three_members()).when(invite("a@example.com", role::owner, by(owner))).events().size(),
              1u);
}
TEST(InviteMember, IsForbiddenForMembers) {
    given(three_members())
        .when(invite("a@example.com", role::viewer, by(member)))
        .then_refused(refusal_code::forbidden);
}
TEST(InviteMember, IsRefusedWhileAnInvitationForTheAddressIsOpen) {
    invite_member again = invite("ANN@example.com", role::member, by(owner));
    again.invitation_id = invitation_2;
    given({was_created(), invitation_for("ann@example.com")})
        .when(again)
        .then_refused(refusal_code::already_invited);
}
TEST(InviteMember, ReplacesAnInvitationThatHasExpired) {
    invite_member again = invite("ann@example.com", role::member, by(owner));
    again.invitation_id = invitation_2;
    again.now = noon + std::chrono::hours{2};
    again.expires_at = noon + std::chrono::hours{3};
    invited expected = invitation_for("ann@example.com", invitation_2);
    expected.expires_at = again.expires_at;
    given({was_created(), invitation_for("ann@example.com")})
        .when(again)
        .then({invitation_revoked{team, invitation_1}, expected});
}
TEST(InviteMember, WritesNothingWhenRepeated) {
    given({was_created(), invitation_for("ann@example.com")})
        .when(invite("ann@example.com", role::member, by(owner)))
        .then_nothing();
}
TEST(InviteMember, IsRefusedForAMember) {
    invite_member command = invite("ann@example.com", role::member, by(owner));
    command.known_user = member;
    given(three_members()).when(command).then_refused(refusal_code::already_member);
}
TEST(InviteMember, WantsAnAddress) {
    given({was_created()}).when(invite("ann", role::member, by(owner))).then_invalid({"email"});
}

TEST(AcceptInvitation, MakesAMemberWithTheInvitedRole) {
    given({was_created(), invitation_for("ann@example.com", invitation_1, role::viewer)})
        .when(accept_invitation{invitation_1, stranger, noon})
        .then({joined{team, stranger, invitation_1, role::viewer, owner}});
}
TEST(AcceptInvitation, IsRefusedOnceExpired) {
    given({was_created(), invitation_for("ann@example.com")})
        .when(accept_invitation{invitation_1, stranger, noon + std::chrono::hours{1}})
        .then_refused(refusal_code::invitation_invalid);
}
TEST(AcceptInvitation, IsRefusedOnceRevokedOrAccepted) {
    given({was_created(), invitation_for("ann@example.com"), invitation_revoked{team, invitation_1}})
        .when(accept_invitation{invitation_1, stranger, noon})
        .then_refused(refusal_code::invitation_invalid);
    given({was_created(), invitation_for("ann@example.com"),
           joined{team, stranger, invitation_1, role::member, owner}})
        .when(accept_invitation{invitation_1, stranger, noon})
        .then_refused(refusal_code::invitation_invalid);
}
TEST(AcceptInvitation, IsRefusedForOneWhoIsAMemberMeanwhile) {
    given({was_created(), invitation_for("ann@example.com")})
        .when(accept_invitation{invitation_1, owner, noon})
        .then_refused(refusal_code::already_member);
}

TEST(RevokeInvitation, EndsIt) {
    given({was_created(), invitation_for("ann@example.com")})
        .when(revoke_invitation{invitation_1, by(owner)})
        .then({invitation_revoked{team, invitation_1}});
}
TEST(RevokeInvitation, WritesNothingWhenRepeated) {
    given({was_created(), invitation_for("ann@example.com"), invitation_revoked{team, invitation_1}})
        .when(revoke_invitation{invitation_1, by(owner)})
        .then_nothing();
}
TEST(RevokeInvitation, IsRefusedOnceAccepted) {
    given({was_created(), invitation_for("ann@example.com"),
           joined{team, stranger, invitation_1, role::member, owner}})
        .when(revoke_invitation{invitation_1, by(owner)})
        .then_refused(refusal_code::invitation_invalid);
}
TEST(RevokeInvitation, IsRefusedForAnUnknownOne) {
    given({was_created()})
        .when(revoke_invitation{invitation_1, by(owner)})
        .then_refused(refusal_code::not_found);
}

TEST(ChangeMemberRole, KeepsTheOldRoleInTheEvent) {
    given(three_members())
        .when(change_member_role{member, role::viewer, by(admin)})
        .then({role_changed{team, member, role::member, role::viewer}});
}
TEST(ChangeMemberRole, WritesNothingWhenTheRoleIsTheSame) {
    given(three_members()).when(change_member_role{member, role::member, by(admin)}).then_nothing();
}
TEST(ChangeMemberRole, LeavesOwnersToOwners) {
    given(three_members())
        .when(change_member_role{member, role::owner, by(admin)})
        .then_refused(refusal_code::forbidden);
    given(three_members())
        .when(change_member_role{owner, role::member, by(admin)})
        .then_refused(refusal_code::forbidden);
    given(three_members())
        .when(change_member_role{member, role::owner, by(owner)})
        .then({role_changed{team, member, role::member, role::owner}});
}
TEST(ChangeMemberRole, LeavesTheLastOwnerAlone) {
    given(three_members())
        .when(change_member_role{owner, role::member, by(owner)})
        .then_refused(refusal_code::last_owner);
}
TEST(ChangeMemberRole, IsRefusedForOneWhoIsNoMember) {
    given(three_members())
        .when(change_member_role{stranger, role::member, by(owner)})
        .then_refused(refusal_code::not_found);
}

TEST(RemoveMember, EndsAMembership) {
    given(three_members())
        .when(remove_member{member, by(admin)})
        .then({member_removed{team, member, role::member}});
}
TEST(RemoveMember, WritesNothingWhenRepeated) {
    auto history = three_members();
    history.push_back(member_removed{team, member, role::member});
    given(history).when(remove_member{member, by(admin)}).then_nothing();
    EXPECT_FALSE(standing_of(given(history).state(), by(member)).role);
}
TEST(RemoveMember, LeavesOwnersToOwnersAndTheLastOneAlone) {
    given(three_members()).when(remove_member{owner, by(admin)}).then_refused(refusal_code::forbidden);
    given(three_members()).when(remove_member{owner, by(owner)}).then_refused(refusal_code::last_owner);
}
TEST(RemoveMember, IsForbiddenForMembers) {
    given(three_members()).when(remove_member{admin, by(member)}).then_refused(refusal_code::forbidden);
}

// Whatever is asked in whatever order: there is an owner, and asking again changes nothing.
RC_GTEST_PROP(WorkspaceMembers, KeepAnOwnerAndRepeatToNothing, (std::vector<std::uint8_t> const& steps)) {
    state s;
    for (auto const& e : three_members()) s = evolve(std::move(s), e);
    user_id const people[] = {owner, admin, member};
    for (std::uint8_t const step : steps) {
        user_id const target = people[step % 3];
        caller const who = by(people[(step / 3) % 3]);
        auto const ask = [&](state const& now) {
            if (step % 2 == 0) return decide(now, remove_member{target, who});
            return decide(now, change_member_role{target, static_cast<role>((step / 9) % 4), who});
        };
        auto const made = ask(s);
        auto const* events = std::get_if<std::vector<event>>(&made);
        if (!events || events->empty()) continue;
        for (auto const& e : *events) s = evolve(std::move(s), e);
        auto const owns = [](auto const& one) { return one.second == role::owner; };
        RC_ASSERT(std::any_of(s.members.begin(), s.members.end(), owns));
        // One who gave up a right cannot ask again, which writes nothing either.
        auto const again = ask(s);
        auto const* repeated = std::get_if<std::vector<event>>(&again);
        RC_ASSERT((!repeated || repeated->empty()));
    }
}

}  // namespace linkledger::domain::workspace
