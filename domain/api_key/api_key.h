#pragma once
// An API key: whose it is, what it is good for, and until when.

#include "domain/access.h"
#include "domain/api_key/events.h"
#include "domain/decision.h"
#include "domain/ids.h"
#include "domain/time.h"

#include <optional>
#include <string>
#include <vector>

namespace linkledger::domain::api_key {

/// Of a key's text, by which it is found.
inline constexpr std::size_t prefix_characters = 12;

struct state {
    bool exists = false;
    domain::api_key_id api_key_id;
    domain::user_id user_id;
    std::optional<domain::workspace_id> workspace_id;
    std::string prefix;
    std::string key_hash;
    std::vector<scope> scopes;
    std::optional<timestamp> expires_at;
    bool root = false;
    bool is_revoked = false;

    bool operator==(state const&) const = default;
};

/// Never fails; events of other aggregates change nothing.
[[nodiscard]] state evolve(state current, event const& happened);

/// Whether the key may be used: issued, not revoked, not expired.
[[nodiscard]] bool is_valid(state const& current, timestamp now);
/// Whom a valid key stands for.
[[nodiscard]] caller caller_of(state const& current);
/// What a member's first key is good for: what the role is, and no more.
[[nodiscard]] std::vector<scope> scopes_for(role of);

struct issue_api_key {
    domain::api_key_id api_key_id;
    domain::user_id user_id;                           ///< Whose key it will be.
    std::optional<domain::workspace_id> workspace_id;  ///< None: all workspaces of the user.
    std::string name;
    std::string prefix;
    std::string key_hash;
    std::vector<scope> scopes;
    std::optional<timestamp> expires_at;
    bool root = false;
    timestamp now;
    /// Who asks, and where they stand in the key's workspace. None: the command itself was the credential
    /// (an accepted invitation, the first start).
    std::optional<standing> by;
};
struct revoke_api_key {
    caller by;
    std::optional<role> role_in_workspace;  ///< Of the caller, in the key's workspace.
};

[[nodiscard]] decision decide(state const& current, issue_api_key const& command);
[[nodiscard]] decision decide(state const& current, revoke_api_key const& command);

}  // namespace linkledger::domain::api_key
