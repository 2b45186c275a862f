#pragma once
// One build, fed in this process by a worker of its own, and held still at a position on request.

#include "projections/rebuild/rebuild.h"

#include <atomic>
#include <memory>
#include <optional>
#include <string>

namespace linkledger::projections {

/// Stands by where another process feeds the build. Starts with the construction, ends with the destruction.
class feeding {
public:
    feeding(rebuild_surroundings const& with, projection& of, build_id which);
    ~feeding();
    feeding(feeding const&) = delete;
    feeding& operator=(feeding const&) = delete;

    /// By its checkpoint.
    [[nodiscard]] eventlog::position position() const;
    /// Goes to this position and no further. A position that was passed already changes nothing.
    void hold_at(eventlog::position at);
    void go_on();
    /// Waits until it stands where it is held; returns where. Throws rebuild_interrupted.
    [[nodiscard]] eventlog::position settle(std::atomic<bool> const& stop) const;
    /// Why it does not move, if something is the matter.
    [[nodiscard]] std::optional<std::string> trouble() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace linkledger::projections
