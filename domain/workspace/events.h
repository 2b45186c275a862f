#pragma once
// What can happen to a workspace, its members and its invitations. Stored for good: fields are only added.

#include "domain/access.h"
#include "domain/ids.h"
#include "domain/time.h"

#include <boost/describe/class.hpp>

#include <optional>
#include <string>

namespace linkledger::domain::workspace {

/// The creator is the first owner; no separate `user.joined` is written for them.
struct created {
    domain::workspace_id workspace_id;
    std::string name;
    std::string slug;
    user_id owner_id;
    std::string plan;

    bool operator==(created const&) const = default;
};

struct renamed {
    domain::workspace_id workspace_id;
    std::string old_name;
    std::string name;

    bool operator==(renamed const&) const = default;
};

/// An address was invited. Sealed under the key of the invited person.
struct invited_personal {
    std::string email;

    bool operator==(invited_personal const&) const = default;
};
struct invited {
    domain::workspace_id workspace_id;
    domain::invitation_id invitation_id;
    domain::role role;
    user_id invited_by;
    std::string token_hash;  ///< SHA-256 of the token, hexadecimal.
    timestamp expires_at;
    std::optional<invited_personal> personal;

    bool operator==(invited const&) const = default;
};

struct joined {
    domain::workspace_id workspace_id;
    domain::user_id user_id;
    domain::invitation_id invitation_id;
    domain::role role;
    domain::user_id invited_by;

    bool operator==(joined const&) const = default;
};

struct invitation_revoked {
    domain::workspace_id workspace_id;
    domain::invitation_id invitation_id;

    bool operator==(invitation_revoked const&) const = default;
};

struct role_changed {
    domain::workspace_id workspace_id;
    domain::user_id user_id;
    domain::role old_role;
    domain::role role;

    bool operator==(role_changed const&) const = default;
};

struct member_removed {
    domain::workspace_id workspace_id;
    domain::user_id user_id;
    domain::role old_role;

    bool operator==(member_removed const&) const = default;
};

BOOST_DESCRIBE_STRUCT(created, (), (workspace_id, name, slug, owner_id, plan))
BOOST_DESCRIBE_STRUCT(renamed, (), (workspace_id, old_name, name))
BOOST_DESCRIBE_STRUCT(invited_personal, (), (email))
BOOST_DESCRIBE_STRUCT(invited, (),
                      (workspace_id, invitation_id, role, invited_by, token_hash, expires_at, personal))
BOOST_DESCRIBE_STRUCT(joined, (), (workspace_id, user_id, invitation_id, role, invited_by))
BOOST_DESCRIBE_STRUCT(invitation_revoked, (), (workspace_id, invitation_id))
BOOST_DESCRIBE_STRUCT(role_changed, (), (workspace_id, user_id, old_role, role))
BOOST_DESCRIBE_STRUCT(member_removed, (), (workspace_id, user_id, old_role))

}  // namespace linkledger::domain::workspace
