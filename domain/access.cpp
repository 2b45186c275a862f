#include "domain/access.h"

#include <algorithm>

namespace linkledger::domain {

bool has_scope(caller const& who, scope needed) {
    auto const holds = [&](scope s) {
        return std::find(who.scopes.begin(), who.scopes.end(), s) != who.scopes.end();
    };
    return who.root || holds(scope::admin) || holds(needed);
}

std::optional<refusal> refuse_below(standing const& who, role at_least, std::string_view what) {
    if (!who.role) return refusal{refusal_code::not_found, "There is no such " + std::string{what} + "."};
    if (*who.role >= at_least) return std::nullopt;
    constexpr std::string_view needed[] = {"viewer", "member", "admin", "owner"};
    return refusal{refusal_code::forbidden, "This needs the role " +
                                                std::string{needed[static_cast<std::size_t>(at_least)]} +
                                                " or a higher one in the workspace."};
}

}  // namespace linkledger::domain
