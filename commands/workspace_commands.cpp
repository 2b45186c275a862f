// The commands on workspaces, their members and their invitations.

#include "commands/handlers.h"
#include "commands/secrets.h"
#include "domain/rules.h"
#include "domain/user/user.h"
#include "eventlog/json.h"
#include "eventlog/json_reflect.h"

namespace linkledger::commands {
namespace {

namespace workspace = domain::workspace;
using workspace_found = eventlog::result<loaded<workspace::state>>;

constexpr auto invitation_lasts = std::chrono::hours{7 * 24};

/// The plan for a decision on a workspace that was loaded.
planned plan_on(attempt const& on, domain::workspace_id const& id, loaded<workspace::state> const& found,
                domain::decision decided, std::string result) {
    return plan_of(on, domain::stream_of(id), found.version, id.value, std::move(decided), std::move(result),
                   *found.state);
}

/// Who has an e-mail address, if anybody has. An address that is none has nobody.
awaitable<eventlog::result<std::optional<domain::user_id>>> user_with_email(attempt const& on,
                                                                            std::string_view text) {
    std::optional<domain::user_id> nobody;
    auto const email = domain::rules::email(text);
    if (!std::holds_alternative<std::string>(email)) co_return nobody;
    std::string key = on.with().email_hash(std::get<std::string>(email));
    std::string scope{domain::claim_scope::email};
    auto const owner = co_await on.with().facts.claim_owner(std::move(scope), std::move(key));
    if (!owner) co_return owner.assume_error();
    if (!owner.assume_value()) co_return nobody;
    stream_id const id = parse_stream(*owner.assume_value());
    if (auto const* user = std::get_if<domain::user_id>(&id)) co_return std::optional{*user};
    co_return nobody;
}

domain::refusal invalid_invitation() {
    return {domain::refusal_code::invitation_invalid,
            "The invitation is unknown, used, revoked or expired; ask for a new one."};
}

/// An invitation as its token finds it.
struct found_invitation {
    domain::workspace_id workspace_id;
    loaded<workspace::state> workspace;
    domain::invitation_id invitation_id;
    std::string email;
    domain::role role = domain::role::viewer;
};

/// None: no open invitation has this token, or the invited person was erased.
awaitable<eventlog::result<std::optional<found_invitation>>> find_invitation(attempt& on,
                                                                             std::string const& token) {
    std::optional<found_invitation> found;
    std::string hash = hash_secret(token);
    std::string scope{domain::claim_scope::invitation};
    auto const owner = co_await on.with().facts.claim_owner(std::move(scope), hash);
    if (!owner) co_return owner.assume_error();
    if (!owner.assume_value()) co_return found;
    stream_id const stream = parse_stream(*owner.assume_value());
    auto const* id = std::get_if<domain::workspace_id>(&stream);
    if (!id) co_return found;
    auto state = co_await on.load(*id);
    if (!state) co_return state.assume_error();
    for (auto const& [invitation_id, one] : state.assume_value().state->invitations) {
        if (one.token_hash != hash || !one.email) continue;
        found = found_invitation{*id, state.assume_value(), invitation_id, *one.email, one.role};
    }
    co_return found;
}

/// The new member's first key, for this workspace alone: the token may have passed through other hands, which
/// must not reach what else the user has.
planned issue_first_key(attempt const& on, found_invitation const& invitation, domain::user_id const& user,
                        std::string const& key) {
    domain::api_key::issue_api_key issue;
    issue.api_key_id = domain::api_key_id{eventlog::new_uuid_v7()};
    issue.user_id = user;
    issue.workspace_id = invitation.workspace_id;
    issue.name = "First key";
    issue.prefix = prefix_of(key);
    issue.key_hash = hash_secret(key);
    issue.scopes = domain::api_key::scopes_for(invitation.role);
    issue.now = on.now();
    return plan_of(on, domain::stream_of(issue.api_key_id), 0, invitation.workspace_id.value,
                   domain::api_key::decide({}, issue), {});
}

}  // namespace

awaitable<planned> handle(attempt& on, create_workspace_input const& input) {
    workspace::create_workspace const command{domain::workspace_id{eventlog::new_uuid_v7()}, input.name,
                                              input.slug, on.by()};
    workspace_result const result{command.workspace_id};
    co_return plan_of(on, domain::stream_of(command.workspace_id), 0, command.workspace_id.value,
                      workspace::decide({}, command), json::to_text(result));
}

awaitable<planned> handle(attempt& on, rename_workspace_input const& input) {
    workspace_found const found = co_await on.load(input.workspace_id);
    if (!found) co_return found.assume_error();
    workspace::rename_workspace const command{input.name, on.by()};
    workspace_result const result{input.workspace_id};
    co_return plan_on(on, input.workspace_id, found.assume_value(),
                      workspace::decide(*found.assume_value().state, command), json::to_text(result));
}

awaitable<planned> handle(attempt& on, invite_member_input const& input) {
    workspace_found const found = co_await on.load(input.workspace_id);
    if (!found) co_return found.assume_error();
    auto const known_user = co_await user_with_email(on, input.email);
    if (!known_user) co_return known_user.assume_error();

    std::string const token = make_token();
    workspace::invite_member command;
    command.invitation_id = domain::invitation_id{eventlog::new_uuid_v7()};
    command.email = input.email;
    command.role = input.role;
    command.token_hash = hash_secret(token);
    command.expires_at = on.now() + invitation_lasts;
    command.known_user = known_user.assume_value();
    command.now = on.now();
    command.by = on.by();
    invitation_result const result{command.invitation_id, token};
    co_return plan_on(on, input.workspace_id, found.assume_value(),
                      workspace::decide(*found.assume_value().state, command), json::to_text(result));
}

awaitable<planned> handle(attempt& on, accept_invitation_input const& input) {
    auto const found = co_await find_invitation(on, input.token);
    if (!found) co_return found.assume_error();
    if (!found.assume_value()) co_return invalid_invitation();
    found_invitation const& invitation = *found.assume_value();
    auto const known_user = co_await user_with_email(on, invitation.email);
    if (!known_user) co_return known_user.assume_error();
    bool const is_new = !known_user.assume_value();
    domain::user_id const user =
        is_new ? domain::user_id{eventlog::new_uuid_v7()} : *known_user.assume_value();

    std::string const key = make_api_key();
    membership_result const result{user, invitation.workspace_id, key};
    workspace::accept_invitation const accept{invitation.invitation_id, user, on.now()};
    planned joining = plan_on(on, invitation.workspace_id, invitation.workspace,
                              workspace::decide(*invitation.workspace.state, accept), json::to_text(result));
    planned whole = joining;
    if (is_new) {
        domain::user::register_user const registration{user, invitation.email, input.name};
        whole = plan_of(on, domain::stream_of(user), 0, {}, domain::user::decide({}, registration),
                        json::to_text(result));
        // What is wrong with the invitation comes before what is wrong with the name.
        if (std::holds_alternative<domain::refusal>(joining)) co_return joining;
        if (!add_to(whole, std::move(joining))) co_return whole;
    }
    if (!add_to(whole, issue_first_key(on, invitation, user, key))) co_return whole;
    plan& made = std::get<plan>(whole);
    made.primary = is_new ? 1 : 0;
    made.subject = "person-" + on.with().email_hash(invitation.email);
    made.acting_user = user;
    co_return whole;
}

awaitable<planned> handle(attempt& on, revoke_invitation_input const& input) {
    workspace_found const found = co_await on.load(input.workspace_id);
    if (!found) co_return found.assume_error();
    workspace::revoke_invitation const command{input.invitation_id, on.by()};
    revoked_invitation_result const result{input.invitation_id};
    co_return plan_on(on, input.workspace_id, found.assume_value(),
                      workspace::decide(*found.assume_value().state, command), json::to_text(result));
}

awaitable<planned> handle(attempt& on, change_member_role_input const& input) {
    workspace_found const found = co_await on.load(input.workspace_id);
    if (!found) co_return found.assume_error();
    workspace::change_member_role const command{input.user_id, input.role, on.by()};
    member_result const result{input.workspace_id, input.user_id};
    co_return plan_on(on, input.workspace_id, found.assume_value(),
                      workspace::decide(*found.assume_value().state, command), json::to_text(result));
}

awaitable<planned> handle(attempt& on, remove_member_input const& input) {
    workspace_found const found = co_await on.load(input.workspace_id);
    if (!found) co_return found.assume_error();
    workspace::remove_member const command{input.user_id, on.by()};
    member_result const result{input.workspace_id, input.user_id};
    co_return plan_on(on, input.workspace_id, found.assume_value(),
                      workspace::decide(*found.assume_value().state, command), json::to_text(result));
}

}  // namespace linkledger::commands
