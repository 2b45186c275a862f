#pragma once
// What can happen to a user account. Stored for good: fields are only added.

#include "domain/ids.h"

#include <boost/describe/class.hpp>

#include <optional>
#include <string>

namespace linkledger::domain::user {

/// Sealed under the person's own key. The first admin has a name only.
struct registered_personal {
    std::optional<std::string> email;
    std::string name;

    bool operator==(registered_personal const&) const = default;
};
struct registered {
    domain::user_id user_id;
    std::optional<registered_personal> personal;

    bool operator==(registered const&) const = default;
};

BOOST_DESCRIBE_STRUCT(registered_personal, (), (email, name))
BOOST_DESCRIBE_STRUCT(registered, (), (user_id, personal))

}  // namespace linkledger::domain::user
