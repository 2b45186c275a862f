#pragma once
// Rebuilds that are asked of a server, on threads of its own.

#include "projections/rebuild/rebuild.h"

#include <memory>
#include <string>

namespace linkledger::projections {

/// Safe to call from any thread. What is unfinished when the process ends goes on when it is asked for again,
/// here or at the command line.
class rebuild_manager {
public:
    explicit rebuild_manager(rebuild_surroundings with);
    /// Interrupts what is running.
    ~rebuild_manager();
    rebuild_manager(rebuild_manager const&) = delete;
    rebuild_manager& operator=(rebuild_manager const&) = delete;

    /// Returns, with its first status, once it is under way. Throws version_refused; forgotten_version and
    /// sql::error as `rebuild` does. How it goes on and ends is in `projection_rebuilds` and in the log of
    /// the process.
    rebuild_status start(rebuild_options const& options);
    /// Interrupts what is running and waits for it.
    void stop();

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace linkledger::projections
