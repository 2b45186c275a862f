#pragma once
// Group commit: one thread drains a bounded queue of appends into batches that share a transaction and an
// fsync.

#include "eventlog/event_log.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace linkledger::eventlog {

struct committer_options {
    std::size_t queue_appends_max = 16'384;
    std::size_t queue_bytes_max = 64u << 20;
    std::size_t batch_appends_max = 1'024;
    std::size_t batch_bytes_max = 4u << 20;
    /// How long an append may wait for its turn; then it fails as `timeout`, unwritten.
    std::chrono::milliseconds queue_wait_max{5'000};
    /// Pause between tries to learn the fate of a batch whose outcome is unknown.
    std::chrono::milliseconds resend_pause{200};
    /// After a pause of this length batches come from a new producer: the store forgets those long idle.
    std::chrono::hours producer_idle_max{24};
};

/// What the operator sees of it.
struct committer_stats {
    std::uint64_t batches = 0, appends = 0, events = 0, resent = 0, refused_full = 0;
    std::size_t queued = 0;
    bool store_available = true;
};

/// Safe to call from any thread.
///
/// An append whose batch has an unknown outcome is completed with `unknown_outcome` once its wait is over,
/// while the committer goes on resending that very batch until its fate is known; no later batch overtakes
/// it. While the store is known to be away, queued appends fail as `unavailable` at once rather than pile up.
/// The store counts as away after two tries in a row failed, until it answers again.
class committer {
public:
    /// Called once, on the committer's thread; must neither block nor throw.
    using completion = std::function<void(result<append_outcome>)>;

    committer(event_log& log, committer_options const& options);
    /// Drains: everything accepted is completed.
    ~committer();

    /// Completes at once with `queue_full`, `shutting_down` or, while the store is known to be away,
    /// `unavailable` where it cannot be accepted (then on the caller's thread).
    void submit(append_request request, completion done);

    /// Refuses what comes, finishes what was accepted, up to the deadline. True when everything was finished.
    bool drain(std::chrono::milliseconds deadline);

    [[nodiscard]] committer_stats stats() const;

    /// Called on the committer's thread after each batch with its duration (metrics). Set before the first
    /// submit.
    std::function<void(std::chrono::microseconds, std::size_t appends)> on_commit;

    /// Called on the committer's thread with what completes a batch's appends; calls it before it returns.
    /// Lets those who wait be woken together. Set before the first submit.
    std::function<void(std::function<void()> const&)> around_completions;

private:
    struct pending;
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace linkledger::eventlog
