#pragma once
// What a decider answers: the events that a command leads to, or the domain's no.

#include "domain/event.h"
#include "domain/refusal.h"

#include <variant>
#include <vector>

namespace linkledger::domain {

/// No events: the command was carried out before, or changes nothing.
using decision = std::variant<std::vector<event>, refusal>;

/// The decision to write exactly this event.
template <typename Event>
[[nodiscard]] decision happens(Event&& what) {
    std::vector<event> events;
    events.emplace_back(std::forward<Event>(what));
    return events;
}

[[nodiscard]] inline decision nothing_happens() {
    return std::vector<event>{};
}

}  // namespace linkledger::domain
