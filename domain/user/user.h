#pragma once
// A person's account: who it is, whatever the number of workspaces.

#include "domain/decision.h"
#include "domain/ids.h"
#include "domain/user/events.h"

#include <optional>
#include <string>

namespace linkledger::domain::user {

struct state {
    bool exists = false;
    domain::user_id user_id;
    std::optional<std::string> email;  ///< None for the first admin, and once the person was erased.
    std::string name;
    bool erased = false;  ///< Keys of theirs are refused.

    bool operator==(state const&) const = default;
};

/// Never fails; events of other aggregates change nothing.
[[nodiscard]] state evolve(state current, event const& happened);

/// That an address has one user at most is a claim's to hold (domain/claims.h).
struct register_user {
    domain::user_id user_id;
    std::optional<std::string> email;  ///< None: the first admin.
    std::string name;
};

[[nodiscard]] decision decide(state const& current, register_user const& command);

}  // namespace linkledger::domain::user
