#pragma once
// A workspace, its members and its invitations: what it remembers, and who may change what.

#include "domain/access.h"
#include "domain/decision.h"
#include "domain/ids.h"
#include "domain/time.h"
#include "domain/workspace/events.h"

#include <map>
#include <optional>
#include <set>
#include <string>

namespace linkledger::domain::workspace {

enum class invitation_status { open, accepted, revoked };

struct invitation {
    domain::role role = role::viewer;
    user_id invited_by;
    std::string token_hash;
    timestamp expires_at;
    std::optional<std::string> email;  ///< None once the person was erased.
    invitation_status status = invitation_status::open;

    bool operator==(invitation const&) const = default;
};

struct state {
    bool exists = false;
    domain::workspace_id workspace_id;
    std::string name;
    std::string slug;
    std::map<user_id, role> members;
    std::set<user_id> former_members;  ///< Removed and not back.
    std::map<invitation_id, invitation> invitations;

    bool operator==(state const&) const = default;
};

/// Never fails; events of other aggregates change nothing.
[[nodiscard]] state evolve(state current, event const& happened);

/// Where a caller stands: by membership, as owner with the first admin key, and nowhere with a key that is
/// for another workspace.
[[nodiscard]] standing standing_of(state const& current, caller const& who);

/// Whether an invitation can still be accepted.
[[nodiscard]] bool is_open(invitation const& one, timestamp now);

// ---- Commands: everything is resolved before they are decided -------------------------------------------

struct create_workspace {
    domain::workspace_id workspace_id;
    std::string name;
    std::string slug;
    caller by;
};
struct rename_workspace {
    std::string name;
    caller by;
};
struct invite_member {
    domain::invitation_id invitation_id;
    std::string email;
    domain::role role = role::viewer;
    std::string token_hash;
    timestamp expires_at;
    std::optional<user_id> known_user;  ///< Who has this address already.
    timestamp now;
    caller by;
};
/// The token is the credential; there is no caller yet.
struct accept_invitation {
    domain::invitation_id invitation_id;
    domain::user_id user_id;  ///< A new one, or the one who has the invited address.
    timestamp now;
};
struct revoke_invitation {
    domain::invitation_id invitation_id;
    caller by;
};
struct change_member_role {
    domain::user_id user_id;
    domain::role role = role::viewer;
    caller by;
};
struct remove_member {
    domain::user_id user_id;
    caller by;
};

[[nodiscard]] decision decide(state const& current, create_workspace const& command);
[[nodiscard]] decision decide(state const& current, rename_workspace const& command);
[[nodiscard]] decision decide(state const& current, invite_member const& command);
[[nodiscard]] decision decide(state const& current, accept_invitation const& command);
[[nodiscard]] decision decide(state const& current, revoke_invitation const& command);
[[nodiscard]] decision decide(state const& current, change_member_role const& command);
[[nodiscard]] decision decide(state const& current, remove_member const& command);

}  // namespace linkledger::domain::workspace
