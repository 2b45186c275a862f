#pragma once
// What can happen to an API key. Stored for good: fields are only added.

#include "domain/access.h"
#include "domain/ids.h"
#include "domain/time.h"

#include <boost/describe/class.hpp>

#include <optional>
#include <string>
#include <vector>

namespace linkledger::domain::api_key {

struct issued {
    domain::api_key_id api_key_id;
    domain::user_id user_id;
    std::optional<domain::workspace_id> workspace_id;  ///< None: all workspaces of the user.
    std::string name;
    std::string prefix;    ///< The key's first 12 characters, by which it is found.
    std::string key_hash;  ///< SHA-256 of the whole key, hexadecimal.
    std::vector<scope> scopes;
    std::optional<timestamp> expires_at;
    bool root = false;  ///< The first admin key.

    bool operator==(issued const&) const = default;
};

struct revoked {
    domain::api_key_id api_key_id;
    std::optional<domain::workspace_id> workspace_id;
    std::string prefix;

    bool operator==(revoked const&) const = default;
};

BOOST_DESCRIBE_STRUCT(issued, (),
                      (api_key_id, user_id, workspace_id, name, prefix, key_hash, scopes, expires_at, root))
BOOST_DESCRIBE_STRUCT(revoked, (), (api_key_id, workspace_id, prefix))

}  // namespace linkledger::domain::api_key
