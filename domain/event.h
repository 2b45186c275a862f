#pragma once
// Every event there is. A new one: its struct in the aggregate's events.h, and one line in this list.

#include "domain/api_key/events.h"
#include "domain/click/events.h"
#include "domain/erasure/events.h"
#include "domain/link/events.h"
#include "domain/user/events.h"
#include "domain/workspace/events.h"

#include <string_view>
#include <variant>

namespace linkledger::domain {

/// LINKLEDGER_EVENTS(X) calls X(C++ type, stored type name, current schema version) for every event. Names
/// and versions are the storage format and never change for a given meaning.
#define LINKLEDGER_EVENTS(X)                                  \
    X(workspace::created, "workspace.created", 1)             \
    X(workspace::renamed, "workspace.renamed", 1)             \
    X(workspace::invited, "user.invited", 1)                  \
    X(workspace::joined, "user.joined", 1)                    \
    X(workspace::invitation_revoked, "invitation.revoked", 1) \
    X(workspace::role_changed, "member.role_changed", 1)      \
    X(workspace::member_removed, "member.removed", 1)         \
    X(user::registered, "user.registered", 1)                 \
    X(api_key::issued, "api_key.issued", 1)                   \
    X(api_key::revoked, "api_key.revoked", 1)                 \
    X(link::created, "link.created", 1)                       \
    X(link::updated, "link.updated", 1)                       \
    X(link::disabled, "link.disabled", 1)                     \
    X(link::enabled, "link.enabled", 1)                       \
    X(link::deleted, "link.deleted", 1)                       \
    X(link::restored, "link.restored", 1)                     \
    X(click::clicked, "link.clicked", 1)                      \
    X(click::settled, "clicks.settled", 1)                    \
    X(erasure::person_erased, "person.erased", 1)             \
    X(erasure::details_ordered, "click_details.ordered", 1)   \
    X(erasure::details_erased, "click_details.erased", 1)

/// A type's stored name and current schema version; specialised for each line of the list.
template <typename Event>
struct event_traits;

#define LINKLEDGER_EVENT_TRAITS(TYPE, NAME, VERSION)        \
    template <>                                             \
    struct event_traits<TYPE> {                             \
        static constexpr std::string_view type_name = NAME; \
        static constexpr int schema_version = VERSION;      \
    };
LINKLEDGER_EVENTS(LINKLEDGER_EVENT_TRAITS)
#undef LINKLEDGER_EVENT_TRAITS

#define LINKLEDGER_EVENT_ALTERNATIVE(TYPE, NAME, VERSION) , TYPE
template <typename First, typename... Rest>
using variant_without_first = std::variant<Rest...>;
using event = variant_without_first<void LINKLEDGER_EVENTS(LINKLEDGER_EVENT_ALTERNATIVE)>;
#undef LINKLEDGER_EVENT_ALTERNATIVE

[[nodiscard]] inline std::string_view type_name(event const& e) {
    return std::visit(
        [](auto const& alternative) { return event_traits<std::decay_t<decltype(alternative)>>::type_name; },
        e);
}

}  // namespace linkledger::domain
