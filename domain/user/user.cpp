#include "domain/user/user.h"

#include "domain/rules.h"

#include <utility>

namespace linkledger::domain::user {

state evolve(state current, event const& happened) {
    if (auto const* e = std::get_if<registered>(&happened)) {
        current.exists = true;
        current.user_id = e->user_id;
        if (e->personal) {
            current.email = e->personal->email;
            current.name = e->personal->name;
        }
    }
    if (auto const* e = std::get_if<erasure::person_erased>(&happened); e && e->user_id == current.user_id) {
        current.email.reset();
        current.name.clear();
        current.erased = true;
    }
    return current;
}

decision decide(state const& current, register_user const& command) {
    if (current.exists) return nothing_happens();
    rules::findings found;
    registered_personal personal;
    personal.name = found.keep("name", rules::name(command.name));
    if (command.email) personal.email = found.keep("email", rules::email(*command.email));
    if (found.any()) return found.to_refusal();
    return happens(registered{command.user_id, std::move(personal)});
}

}  // namespace linkledger::domain::user
