// The commands on API keys.

#include "commands/handlers.h"
#include "commands/secrets.h"
#include "eventlog/json.h"
#include "eventlog/json_reflect.h"

namespace linkledger::commands {
namespace {

namespace api_key = domain::api_key;

/// The first admin key may do everything everywhere, its user only what memberships allow: a key for a
/// workspace that the user is no member of would be good for nothing.
bool would_be_useless(domain::workspace::state const& workspace, domain::caller const& by) {
    return workspace.exists && by.root && !workspace.members.contains(by.user_id);
}

/// The caller's role in a key's workspace; none for a key of no workspace.
awaitable<eventlog::result<std::optional<domain::role>>> role_in(
    attempt& on, std::optional<domain::workspace_id> workspace) {
    std::optional<domain::role> none;
    if (!workspace) co_return none;
    auto const found = co_await on.load(*workspace);
    if (!found) co_return found.assume_error();
    co_return domain::workspace::standing_of(*found.assume_value().state, on.by()).role;
}

}  // namespace

awaitable<planned> handle(attempt& on, issue_api_key_input const& input) {
    auto const found = co_await on.load(input.workspace_id);
    if (!found) co_return found.assume_error();
    domain::workspace::state const& workspace = *found.assume_value().state;
    if (would_be_useless(workspace, on.by())) {
        co_return domain::refusal{domain::refusal_code::forbidden,
                                  "The first admin is no member of this workspace; a key for it would be "
                                  "good for nothing. Invite a member, who gets a key by accepting."};
    }
    std::string const key = make_api_key();
    api_key::issue_api_key command;
    command.api_key_id = domain::api_key_id{eventlog::new_uuid_v7()};
    command.user_id = on.by().user_id;
    command.workspace_id = input.workspace_id;
    command.name = input.name;
    command.prefix = prefix_of(key);
    command.key_hash = hash_secret(key);
    command.scopes = input.scopes;
    command.expires_at = input.expires_at;
    command.now = on.now();
    command.by = domain::workspace::standing_of(workspace, on.by());
    issued_api_key_result const result{command.api_key_id, key};
    co_return plan_of(on, domain::stream_of(command.api_key_id), 0, input.workspace_id.value,
                      api_key::decide({}, command), json::to_text(result));
}

awaitable<planned> handle(attempt& on, revoke_api_key_input const& input) {
    auto const found = co_await on.load(input.api_key_id);
    if (!found) co_return found.assume_error();
    api_key::state const& state = *found.assume_value().state;
    auto const role = co_await role_in(on, state.workspace_id);
    if (!role) co_return role.assume_error();
    api_key::revoke_api_key const command{on.by(), role.assume_value()};
    api_key_result const result{input.api_key_id};
    domain::uuid const workspace = state.workspace_id ? state.workspace_id->value : domain::uuid{};
    co_return plan_of(on, domain::stream_of(input.api_key_id), found.assume_value().version, workspace,
                      api_key::decide(state, command), json::to_text(result));
}

}  // namespace linkledger::commands
