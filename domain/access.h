#pragma once
// Who may do what: roles within a workspace, scopes of a key, and the caller that both are checked for.

#include "domain/ids.h"
#include "domain/refusal.h"

#include <boost/describe/enum.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace linkledger::domain {

/// Roles in rising order; each may do what the ones before it may.
enum class role {
    viewer,  ///< Reads.
    member,  ///< Creates and edits links.
    admin,   ///< Members, invitations, keys and webhooks too.
    owner,   ///< Everything, other owners' roles included.
};

/// What a key is good for. A key acts with the rights of its user, narrowed to its scopes.
enum class scope {
    read,   ///< Read models.
    write,  ///< Commands on links and clicks.
    admin,  ///< Commands on workspaces, members and keys; includes read, write and audit.
    audit,  ///< The log and the audit rows; reading only.
};

BOOST_DESCRIBE_ENUM(role, viewer, member, admin, owner)
BOOST_DESCRIBE_ENUM(scope, read, write, admin, audit)

/// The authenticated sender of a command or a read.
struct caller {
    domain::user_id user_id;
    domain::api_key_id api_key_id;
    std::optional<domain::workspace_id>
        workspace_id;  ///< The one workspace the key is for; none: all of the user's.
    std::vector<scope> scopes;
    bool root = false;  ///< The first admin key: every workspace, every role.

    bool operator==(caller const&) const = default;
};

[[nodiscard]] bool has_scope(caller const& who, scope needed);

/// Where a sender stands in the workspace that a command is about, as it was when the workspace was loaded.
struct standing {
    domain::user_id user_id;
    std::optional<domain::role> role;  ///< None: no member, and not to learn whether the workspace exists.

    bool operator==(standing const&) const = default;
};

/// The refusal when `who` has less than `at_least`: not_found for outsiders, forbidden for members.
[[nodiscard]] std::optional<refusal> refuse_below(standing const& who, role at_least, std::string_view what);

}  // namespace linkledger::domain
