#include "domain/api_key/api_key.h"

#include "domain/rules.h"

#include <algorithm>
#include <utility>

namespace linkledger::domain::api_key {
namespace {

std::vector<scope> without_repetitions(std::vector<scope> const& scopes) {
    std::vector<scope> once;
    for (scope s : scopes) {
        if (std::find(once.begin(), once.end(), s) == once.end()) once.push_back(s);
    }
    return once;
}

/// One's own keys, those of a workspace that one administers, and with the first admin key all.
bool may_revoke(state const& current, revoke_api_key const& command) {
    if (command.by.root) return true;
    if (command.by.workspace_id && command.by.workspace_id != current.workspace_id) return false;
    return command.by.user_id == current.user_id || command.role_in_workspace >= role::admin;
}

}  // namespace

state evolve(state current, event const& happened) {
    if (auto const* e = std::get_if<issued>(&happened)) {
        current = {true,        e->api_key_id, e->user_id,    e->workspace_id, e->prefix,
                   e->key_hash, e->scopes,     e->expires_at, e->root,         false};
    } else if (std::holds_alternative<revoked>(happened)) {
        current.is_revoked = true;
    }
    return current;
}

bool is_valid(state const& current, timestamp now) {
    return current.exists && !current.is_revoked && (!current.expires_at || now < *current.expires_at);
}

caller caller_of(state const& current) {
    return {current.user_id, current.api_key_id, current.workspace_id, current.scopes, current.root};
}

std::vector<scope> scopes_for(role of) {
    switch (of) {
        case role::viewer:
            return {scope::read};
        case role::member:
            return {scope::read, scope::write};
        case role::admin:
        case role::owner:
            break;
    }
    return {scope::read, scope::write, scope::admin, scope::audit};
}

decision decide(state const& current, issue_api_key const& command) {
    if (current.exists) return nothing_happens();
    if (command.by) {
        if (auto no = refuse_below(*command.by, role::admin, "workspace")) return *no;
    }
    rules::findings found;
    std::string name = found.keep("name", rules::name(command.name));
    if (command.scopes.empty()) found.add("scopes", "must name at least one scope");
    std::optional<timestamp> expires_at;
    if (command.expires_at) {
        expires_at = found.keep("expires_at", rules::expires_at(*command.expires_at, command.now));
    }
    if (found.any()) return found.to_refusal();
    return happens(issued{command.api_key_id, command.user_id, command.workspace_id, std::move(name),
                          command.prefix, command.key_hash, without_repetitions(command.scopes), expires_at,
                          command.root});
}

decision decide(state const& current, revoke_api_key const& command) {
    if (!current.exists || !may_revoke(current, command)) {
        return refusal{refusal_code::not_found, "There is no such API key."};
    }
    if (current.is_revoked) return nothing_happens();
    return happens(revoked{current.api_key_id, current.workspace_id, current.prefix});
}

}  // namespace linkledger::domain::api_key
