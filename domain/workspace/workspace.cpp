#include "domain/workspace/workspace.h"

#include "domain/rules.h"

#include <algorithm>
#include <utility>

namespace linkledger::domain::workspace {
namespace {

void apply(state& s, created const& e) {
    s.exists = true;
    s.workspace_id = e.workspace_id;
    s.name = e.name;
    s.slug = e.slug;
    s.members[e.owner_id] = role::owner;
}
void apply(state& s, renamed const& e) {
    s.name = e.name;
}
void apply(state& s, invited const& e) {
    auto& one = s.invitations[e.invitation_id];
    one = {e.role, e.invited_by, e.token_hash, e.expires_at, std::nullopt, invitation_status::open};
    if (e.personal) one.email = e.personal->email;
}
void apply(state& s, joined const& e) {
    s.members[e.user_id] = e.role;
    s.former_members.erase(e.user_id);
    s.invitations[e.invitation_id].status = invitation_status::accepted;
}
void apply(state& s, invitation_revoked const& e) {
    s.invitations[e.invitation_id].status = invitation_status::revoked;
}
void apply(state& s, role_changed const& e) {
    s.members[e.user_id] = e.role;
}
void apply(state& s, member_removed const& e) {
    s.members.erase(e.user_id);
    s.former_members.insert(e.user_id);
}
template <typename Other>
void apply(state&, Other const&) {}

refusal not_found(std::string what) {
    return {refusal_code::not_found, "There is no such " + std::move(what) + "."};
}

refusal owners_only() {
    return {refusal_code::forbidden, "Only an owner may make, change or remove owners."};
}

/// Every command on an existing workspace begins with this.
std::optional<refusal> refuse_unless(state const& s, caller const& by, role at_least) {
    if (!s.exists) return not_found("workspace");
    return refuse_below(standing_of(s, by), at_least, "workspace");
}

bool is_last_owner(state const& s, user_id const& who) {
    auto const is_owner = [](auto const& member) { return member.second == role::owner; };
    auto const found = s.members.find(who);
    return found != s.members.end() && is_owner(*found) &&
           std::count_if(s.members.begin(), s.members.end(), is_owner) == 1;
}

refusal last_owner() {
    return {refusal_code::last_owner,
            "This is the workspace's last owner; make another member an owner first."};
}

/// The open invitation for an address, expired or not.
std::optional<invitation_id> find_invitation(state const& s, std::string const& email) {
    for (auto const& [id, one] : s.invitations) {
        if (one.status == invitation_status::open && one.email == email) return id;
    }
    return std::nullopt;
}

}  // namespace

state evolve(state current, event const& happened) {
    std::visit([&](auto const& e) { apply(current, e); }, happened);
    return current;
}

standing standing_of(state const& current, caller const& who) {
    standing found{who.user_id, std::nullopt};
    if (!current.exists) return found;
    if (who.root) {
        found.role = role::owner;
        return found;
    }
    if (who.workspace_id && *who.workspace_id != current.workspace_id) return found;
    auto const member = current.members.find(who.user_id);
    if (member != current.members.end()) found.role = member->second;
    return found;
}

bool is_open(invitation const& one, timestamp now) {
    return one.status == invitation_status::open && now < one.expires_at;
}

decision decide(state const& current, create_workspace const& command) {
    if (current.exists) return nothing_happens();
    if (command.by.workspace_id) {
        return refusal{refusal_code::forbidden,
                       "This key is for one workspace; creating another needs a key for all of its user's."};
    }
    rules::findings found;
    std::string name = found.keep("name", rules::name(command.name));
    std::string slug = found.keep("slug", rules::slug(command.slug));
    if (found.any()) return found.to_refusal();
    return happens(
        created{command.workspace_id, std::move(name), std::move(slug), command.by.user_id, "free"});
}

decision decide(state const& current, rename_workspace const& command) {
    if (auto no = refuse_unless(current, command.by, role::admin)) return *no;
    rules::findings found;
    std::string name = found.keep("name", rules::name(command.name));
    if (found.any()) return found.to_refusal();
    if (name == current.name) return nothing_happens();
    return happens(renamed{current.workspace_id, current.name, std::move(name)});
}

decision decide(state const& current, invite_member const& command) {
    if (auto no = refuse_unless(current, command.by, role::admin)) return *no;
    if (current.invitations.contains(command.invitation_id)) return nothing_happens();
    if (command.role == role::owner && standing_of(current, command.by).role != role::owner) {
        return owners_only();
    }
    rules::findings found;
    std::string email = found.keep("email", rules::email(command.email));
    if (found.any()) return found.to_refusal();
    if (command.known_user && current.members.contains(*command.known_user)) {
        return refusal{refusal_code::already_member, "This person is a member already."};
    }

    std::vector<event> events;
    if (auto const earlier = find_invitation(current, email)) {
        if (is_open(current.invitations.at(*earlier), command.now)) {
            return refusal{refusal_code::already_invited,
                           "An open invitation for this address exists; revoke it first."};
        }
        events.emplace_back(invitation_revoked{current.workspace_id, *earlier});
    }
    events.emplace_back(invited{current.workspace_id, command.invitation_id, command.role, command.by.user_id,
                                command.token_hash, command.expires_at, invited_personal{std::move(email)}});
    return events;
}

decision decide(state const& current, accept_invitation const& command) {
    refusal const invalid{refusal_code::invitation_invalid,
                          "The invitation is unknown, used, revoked or expired; ask for a new one."};
    auto const found = current.invitations.find(command.invitation_id);
    if (found == current.invitations.end() || !is_open(found->second, command.now)) return invalid;
    if (current.members.contains(command.user_id)) {
        return refusal{refusal_code::already_member, "This person is a member already."};
    }
    return happens(joined{current.workspace_id, command.user_id, command.invitation_id, found->second.role,
                          found->second.invited_by});
}

decision decide(state const& current, revoke_invitation const& command) {
    if (auto no = refuse_unless(current, command.by, role::admin)) return *no;
    auto const found = current.invitations.find(command.invitation_id);
    if (found == current.invitations.end()) return not_found("invitation");
    if (found->second.status == invitation_status::revoked) return nothing_happens();
    if (found->second.status == invitation_status::accepted) {
        return refusal{refusal_code::invitation_invalid,
                       "The invitation was accepted; remove the member instead."};
    }
    return happens(invitation_revoked{current.workspace_id, command.invitation_id});
}

decision decide(state const& current, change_member_role const& command) {
    if (auto no = refuse_unless(current, command.by, role::admin)) return *no;
    auto const member = current.members.find(command.user_id);
    if (member == current.members.end()) return not_found("member");
    if (member->second == command.role) return nothing_happens();
    bool const concerns_owners = member->second == role::owner || command.role == role::owner;
    if (concerns_owners && standing_of(current, command.by).role != role::owner) return owners_only();
    if (is_last_owner(current, command.user_id)) return last_owner();
    return happens(role_changed{current.workspace_id, command.user_id, member->second, command.role});
}

decision decide(state const& current, remove_member const& command) {
    if (auto no = refuse_unless(current, command.by, role::admin)) return *no;
    auto const member = current.members.find(command.user_id);
    if (member == current.members.end()) {
        if (current.former_members.contains(command.user_id)) return nothing_happens();
        return not_found("member");
    }
    if (member->second == role::owner && standing_of(current, command.by).role != role::owner) {
        return owners_only();
    }
    if (is_last_owner(current, command.user_id)) return last_owner();
    return happens(member_removed{current.workspace_id, command.user_id, member->second});
}

}  // namespace linkledger::domain::workspace
