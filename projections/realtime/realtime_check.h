#pragma once
// The real-time counters against a fold of the log, for read_model_check.

#include "domain/event.h"
#include "projections/read_store.h"
#include "projections/realtime/window.h"

#include <functional>
#include <string>
#include <unordered_map>

namespace linkledger::projections::realtime {

/// Counters as of one snapshot, and the same as the clicks told to it give them.
class counter_check {
public:
    /// Throws sql::error.
    explicit counter_check(read_store& store);

    /// The clicks up to here are wanted.
    [[nodiscard]] eventlog::position until() const { return at_; }
    /// Every click of the log, in order; later ones are left out.
    void fold(eventlog::recorded_event const& event, domain::click::clicked const& click);
    void compare(std::function<void(std::string)> const& note) const;

private:
    using windows = std::unordered_map<domain::uuid, click_window>;

    eventlog::position at_ = 0;
    windows stored_;
    windows folded_;
};

}  // namespace linkledger::projections::realtime
