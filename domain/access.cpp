#include "domain/access.h"

#include <algorithm>

namespace linkledger::domain {

bool has_scope(caller const& who, scope needed) {
    auto const holds = [&](scope s) {
        return std::find(who.scopes.begin(), who.scopes.end(), s) != who.scopes.end();
    };
    return who.root || holds(scope::admin) || holds(needed);
}

}  // namespace linkledger::domain
