#pragma once
// Who may have a person or the details of clicks forgotten, and when.

#include "domain/access.h"
#include "domain/decision.h"
#include "domain/erasure/events.h"
#include "domain/time.h"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace linkledger::domain::erasure {

/// A click may be reported for a week after it happened; what comes later than this day's end cannot be of
/// that day. Only then are its counts final and its details can go.
inline constexpr std::chrono::days details_settle_after{8};
/// Of one command.
inline constexpr int days_at_once_max = 3'660;

/// A day, `2026-11-21`, as the moment it begins. None: no such text or day.
[[nodiscard]] std::optional<timestamp> parse_day(std::string_view text);
/// Whether no click of the day can come any more.
[[nodiscard]] bool is_settled(timestamp day, timestamp now);

/// Where the caller and the person stand in a workspace that the person belongs to or is invited to.
struct relation {
    standing caller;
    std::optional<role> person;  ///< None: invited.
};

/// Everything is resolved before it is decided.
struct erase_person {
    std::optional<domain::user_id> user_id;
    bool erased_before = false;
    std::vector<uuid> key_ids;  ///< Living ones.
    std::vector<erased_invitation> invitations;
    std::vector<relation> relations;
    caller by;
};
/// The first admin may; a person for themselves, with a key for all of their workspaces; and who is admin in
/// every workspace that the person belongs to or is invited to (owner, where the person is one).
[[nodiscard]] decision decide(erase_person const& command);

struct order_details_erasure {
    domain::workspace_id workspace_id;
    std::string first_day;
    std::string last_day;
    timestamp now;
    standing by;
};
[[nodiscard]] decision decide(order_details_erasure const& command);

}  // namespace linkledger::domain::erasure
