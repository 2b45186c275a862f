#include "domain/erasure/erasure.h"

#include "domain/event.h"

#include <algorithm>

namespace linkledger::domain::erasure {
namespace {

refusal unknown_person() {
    return {refusal_code::not_found, "There is no such person, or none that this key may erase."};
}

bool may_act_on(relation const& in) {
    return in.caller.role && *in.caller.role >= std::max(role::admin, in.person.value_or(role::viewer));
}

/// None: the caller may.
std::optional<refusal> refuse_caller(erase_person const& command) {
    caller const& by = command.by;
    if (by.root) return std::nullopt;
    bool const is_own = command.user_id && *command.user_id == by.user_id;
    if (is_own && !by.workspace_id) return std::nullopt;
    bool const knows = std::any_of(command.relations.begin(), command.relations.end(),
                                   [](relation const& in) { return in.caller.role.has_value(); });
    if (!knows) return unknown_person();
    if (std::all_of(command.relations.begin(), command.relations.end(), may_act_on)) return std::nullopt;
    return refusal{refusal_code::forbidden,
                   "A person can be erased by the first admin, by themselves, or by an admin of every "
                   "workspace that they belong to or are invited to (an owner, where they are one)."};
}

}  // namespace

std::optional<timestamp> parse_day(std::string_view text) {
    constexpr std::size_t characters = 10;
    if (text.size() != characters) return std::nullopt;
    return parse_timestamp(std::string{text} + "T00:00:00Z");
}

bool is_settled(timestamp day, timestamp now) {
    return day + std::chrono::days{1} + details_settle_after <= now;
}

decision decide(erase_person const& command) {
    if (!command.user_id && command.key_ids.empty()) return unknown_person();
    if (auto no = refuse_caller(command)) return *no;
    if (command.erased_before && command.key_ids.empty()) return nothing_happens();
    return happens(person_erased{command.user_id, command.key_ids, command.invitations});
}

decision decide(order_details_erasure const& command) {
    if (auto no = refuse_below(command.by, role::admin, "workspace")) return *no;
    auto const first = parse_day(command.first_day);
    auto const last = parse_day(command.last_day);
    if (!first) return invalid_field("first_day", "must be a day, as in 2026-11-21");
    if (!last) return invalid_field("last_day", "must be a day, as in 2026-11-21");
    if (*last < *first) return invalid_field("last_day", "must not lie before first_day");
    if (*last - *first >= std::chrono::days{days_at_once_max})
        return invalid_field("last_day", "must lie within ten years of first_day");
    if (!is_settled(*last, command.now)) {
        return invalid_field(
            "last_day",
            "must have ended 8 days ago or earlier: until then clicks of the day may still be "
            "reported, and its counts are not final");
    }
    return happens(details_ordered{command.workspace_id, command.first_day, command.last_day});
}

}  // namespace linkledger::domain::erasure
