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

/// Called once; must neither block nor throw.
using append_completion = std::function<void(result<append_outcome>)>;

/// An append and who waits for it.
struct waiting_append {
    append_request request;
    append_completion done;
};

/// Keeps appends elsewhere while the store does not answer: see eventlog/spool. Called from any thread; none
/// of it blocks.
class append_spool {
public:
    virtual ~append_spool() = default;
    /// While true, what may be spooled does not come to the committer at all.
    [[nodiscard]] virtual bool is_active() const = 0;
    virtual void keep(append_request request, append_completion done) = 0;
    /// The fate of a batch that `committer::take_overdue` told of.
    virtual void settle(batch_number const& number, bool is_stored) = 0;
};

/// What has waited too long for the store and may be spooled.
struct overdue_appends {
    std::vector<waiting_append> queued;  ///< Never sent; no longer the committer's.
    /// Copies from the batch that was sent and not answered, under its number. Their callers still wait: see
    /// `answer_spooled`.
    append_batch sent;
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
    using completion = append_completion;

    committer(event_log& log, committer_options const& options);
    /// Drains: everything accepted is completed.
    ~committer();

    /// Completes at once with `queue_full`, `shutting_down` or, while the store is known to be away,
    /// `unavailable` where it cannot be accepted (then on the caller's thread).
    ///
    /// `may_spool`: the append is one event to one stream, expecting no version. Where there is a spool, and
    /// the store does not answer, it is kept there and completed as `appended` with last_position 0 and no
    /// versions.
    void submit(append_request request, completion done, bool may_spool = false);

    /// Before the first submit, and with null after the last.
    void set_spool(append_spool* spool);
    /// Takes what may be spooled, as soon as one such append has waited for `age`. A batch is told of once.
    [[nodiscard]] overdue_appends take_overdue(std::chrono::milliseconds age);
    /// Completes the callers of a batch that `take_overdue` told of, as far as they still wait.
    void answer_spooled(batch_number const& number, result<append_outcome> const& outcome);
    /// Calls what completes appends the way that `around_completions` wants it.
    void complete_together(std::function<void()> const& complete) const;

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
