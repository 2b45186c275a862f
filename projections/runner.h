#pragma once
// Runs projections in this process: reads the log, applies batches, keeps checkpoints, and tells who waits.

#include "eventlog/keyring.h"
#include "projections/event_source.h"
#include "projections/projection.h"
#include "projections/read_store.h"
#include "projections/rebuild/meter.h"

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace linkledger::projections {

struct runner_options {
    /// Off: nothing is run here; `wait_for`, `when_at` and `status` follow the checkpoints that other
    /// processes write.
    bool run = true;
    std::vector<std::string> only{};  ///< Names of the projections to run; empty: all.
    std::size_t batch_events_max = 2'000;
    /// A read at the head of the log waits until this long after the one before, so that events come in
    /// batches; not when someone waits for a position.
    std::chrono::milliseconds linger{100};
    /// Pauses between tries after a failure of a store, doubled from one to the other.
    std::chrono::milliseconds retry_pause_min{50};
    std::chrono::milliseconds retry_pause_max{5'000};
    std::chrono::milliseconds standby_pause{500};          ///< Between tries to get another runner's lock.
    std::chrono::milliseconds parked_retry_pause{60'000};  ///< Between tries of parked events.
    std::chrono::milliseconds poll_pause{30};  ///< Between looks at checkpoints that others write.
    /// More parked events than this mean that the projection is at fault, not an event: it stops moving.
    std::int64_t parked_max = 1'000;
    /// Called on the thread of a projection that runs here when its checkpoint has moved, and when it begins
    /// to run here; must neither block nor throw.
    std::function<void(std::string_view projection)> moved{};
    std::chrono::milliseconds versions_pause{500};  ///< Between looks at which versions there are.
};

enum class projection_state {
    elsewhere,    ///< Not run by this process.
    standby,      ///< Another runner has the lock; this one takes over when it goes.
    catching_up,  ///< Applies events and is not at the head yet.
    live,         ///< At the head.
    paused,       ///< By pause().
    retrying,     ///< A store failed; tried again after a pause. `last_error` says why.
    stopped,      ///< Not started, or stopped.
};
BOOST_DESCRIBE_ENUM(projection_state, elsewhere, standby, catching_up, live, paused, retrying, stopped)

struct projection_status {
    std::string name;
    int version = 1;
    int build = 1;     ///< Which build of the version.
    bool live = true;  ///< Reads are answered from it; false: ready to be, or kept after a switch.
    projection_state state = projection_state::stopped;
    eventlog::position position = 0;
    eventlog::position head = 0;
    std::int64_t lag_events = 0;
    double lag_seconds = 0;  ///< Age of the oldest event that is not applied.
    std::int64_t parked = 0;
    std::optional<std::string> last_error;
    // Since this process started, for the metrics:
    std::uint64_t batches = 0;
    std::uint64_t events = 0;
    std::uint64_t failures = 0;
    std::uint64_t rebuilds = 0;  ///< Starts over because the log's id or epoch was another.
    double apply_seconds = 0;
};
BOOST_DESCRIBE_STRUCT(projection_status, (),
                      (name, version, build, live, state, position, head, lag_events, lag_seconds, parked,
                       last_error, batches, events, failures, rebuilds, apply_seconds))

/// Safe to call from any thread. Every projection has a thread of its own, so that none holds up another;
/// events are read and decoded once for all that are at the same place.
///
/// Which versions are fed is said by `projection_versions` (builds.h) and followed while it runs: those that
/// are live, ready or kept, as far as `projections` has them.
///
/// One runner at a time applies a build, by the lock of read_store; others stand by. Failures of a store
/// are retried for ever. An event that cannot be applied is parked with its error (table `parked_events`),
/// later ones of the same aggregate behind it, and retried in order; the rest goes on. A checkpoint of
/// another log id or epoch makes the projection start over.
class runner {
public:
    /// What is passed by reference must outlive the runner.
    runner(event_source& source, eventlog::keyring& keys, read_store& store,
           std::vector<std::unique_ptr<projection>> projections, runner_options const& options);
    ~runner();
    runner(runner const&) = delete;
    runner& operator=(runner const&) = delete;

    /// Throws forgotten_version.
    void start();
    /// Looks at which versions there are, now.
    void look_at_versions();
    /// Finishes the batches in hand and gives up the locks. Waiters get false. A second call changes nothing.
    void stop();

    /// Returns once nothing is being applied here; locks are kept.
    void pause();
    void resume();

    /// Tries parked events at the next opportunity.
    void retry_parked();

    /// True once the projection reflects `position`; false at the deadline, at stop, or for an unknown name.
    [[nodiscard]] bool wait_for(std::string const& projection, eventlog::position position,
                                std::chrono::milliseconds deadline);
    /// The same without holding a thread: `done` is called once, from this call when the answer is known,
    /// else from a thread of the runner; it must neither block nor throw.
    void when_at(std::string const& projection, eventlog::position position,
                 std::chrono::milliseconds deadline, std::function<void(bool)> done);

    /// Whether this process has the projection's lock.
    [[nodiscard]] bool runs_here(std::string const& projection) const;

    /// One for each version that there is, the live one of a projection before its others. Blocks on the
    /// stores; what they do not tell is left as last known.
    [[nodiscard]] std::vector<projection_status> status();
    /// The latest rebuild of each projection, in whatever process it runs or ran.
    [[nodiscard]] std::vector<rebuild_status> rebuilds();

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace linkledger::projections
