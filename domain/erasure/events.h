#pragma once
// What is forgotten on purpose: a person, or the details of a workspace's clicks. Stored for good: fields are
// only added. Nothing here is personal: ids of keys and rows, never what they stood for.

#include "domain/ids.h"

#include <boost/describe/class.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace linkledger::domain::erasure {

/// An invitation whose address went with the person.
struct erased_invitation {
    domain::workspace_id workspace_id;
    domain::invitation_id invitation_id;

    bool operator==(erased_invitation const&) const = default;
};
/// A person is forgotten; the keys are destroyed right after. In the stream of the user where there is one.
struct person_erased {
    std::optional<domain::user_id> user_id;  ///< None: someone who was invited and never joined.
    std::vector<uuid> key_ids;
    std::vector<erased_invitation> invitations;

    bool operator==(person_erased const&) const = default;
};

/// Click details of these days are to be erased; a process that serves does it. Days are UTC, `2026-11-21`.
struct details_ordered {
    domain::workspace_id workspace_id;
    std::string first_day;
    std::string last_day;

    bool operator==(details_ordered const&) const = default;
};

struct erased_day {
    std::string day;
    uuid key_id{};

    bool operator==(erased_day const&) const = default;
};
/// Every count that needs the details of these days is settled (`clicks.settled`); the keys are destroyed
/// right after. In the stream of the order where there is one.
struct details_erased {
    domain::workspace_id workspace_id;
    std::string first_day;
    std::string last_day;
    std::vector<erased_day> days;  ///< Those that had clicks.
    std::int64_t clicks = 0;       ///< Whose details go, those of bots included.

    bool operator==(details_erased const&) const = default;
};

BOOST_DESCRIBE_STRUCT(erased_invitation, (), (workspace_id, invitation_id))
BOOST_DESCRIBE_STRUCT(person_erased, (), (user_id, key_ids, invitations))
BOOST_DESCRIBE_STRUCT(details_ordered, (), (workspace_id, first_day, last_day))
BOOST_DESCRIBE_STRUCT(erased_day, (), (day, key_id))
BOOST_DESCRIBE_STRUCT(details_erased, (), (workspace_id, first_day, last_day, days, clicks))

}  // namespace linkledger::domain::erasure
