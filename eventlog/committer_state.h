#pragma once
// What a committer is made of: shared by its callers' side (committer.cpp) and its thread
// (committer_thread.cpp).

#include "eventlog/committer.h"
#include "eventlog/crypto.h"

#include <map>

namespace linkledger::eventlog {

/// What those get whom the store's absence keeps waiting.
[[nodiscard]] inline failure store_is_away() {
    return {failure_code::unavailable, "the event log cannot be reached"};
}

/// An append that was accepted and not yet answered.
struct committer::pending {
    append_request request;
    completion done;
    std::chrono::steady_clock::time_point accepted_at;
    std::size_t bytes = 0;
    bool may_spool = false;

    void complete(result<append_outcome> outcome) {
        if (auto const call = std::exchange(done, nullptr)) call(std::move(outcome));
    }
};

struct committer::state {
    state(committer& o, event_log& l, committer_options const& with) : owner(o), log(l), options(with) {
        thread = std::thread{[this] { run(); }};
    }

    ~state() {
        {
            std::lock_guard const lock{mutex};
            stopping = true;
        }
        wake.notify_all();
        thread.join();
    }

    void submit(append_request request, completion done, bool may_spool);
    bool drain(std::chrono::milliseconds deadline);
    committer_stats read_stats();
    void set_spool(append_spool* to);
    overdue_appends take_overdue(std::chrono::milliseconds age);
    void answer_spooled(batch_number const& number, result<append_outcome> const& outcome);

private:
    using clock = std::chrono::steady_clock;
    using batch_in_flight = std::vector<pending>;
    using completions = std::vector<completion>;

    void run();
    bool take(batch_in_flight& taken);
    [[nodiscard]] std::size_t target_of(std::size_t askers) const;
    void note_gathering(bool complete);
    void commit(batch_in_flight& taken);
    result<batch_outcome> send_again(append_batch const& batch, bool fate_is_unknown);
    result<batch_outcome> resend_until_known(append_batch const& batch, batch_in_flight& taken);
    bool answer_overdue(batch_in_flight& taken, failure const& why);
    void answer(batch_in_flight& taken, append_batch const& batch, batch_outcome outcome,
                clock::time_point started);
    void abandon(batch_in_flight& taken, append_batch& batch, failure const& why);
    void begin_flight(append_batch const& batch, batch_in_flight& taken);
    bool end_flight(bool is_stored);
    void take_overdue_queued(overdue_appends& into);
    static void take_spoolable(batch_in_flight& taken, completions& into);
    void renew_producer();
    void fail_queued();
    /// Calls the spool without the lock. It stays until `use` has returned.
    template <typename Use>
    void with_spool(std::unique_lock<std::mutex>& lock, Use const& use) {
        append_spool* const to = spool;
        ++spool_users;
        lock.unlock();
        use(*to);
        lock.lock();
        --spool_users;
        idle.notify_all();
    }
    void give_up(append_request request, completion done, bool may_spool, failure const& why);
    void set_available(bool available);
    void wait_for_store();

    committer& owner;
    event_log& log;
    committer_options const options;

    std::mutex mutex;
    std::condition_variable wake;  ///< Of the committer's thread.
    std::condition_variable idle;  ///< Of those who drain.
    std::deque<pending> queue;
    std::size_t queued_bytes = 0;
    std::size_t gather_target = 0;  ///< Appends in the queue at which the committer stops waiting for more.
    bool busy = false;              ///< A batch is in flight, or answers are being given.
    bool draining = false;          ///< Nothing more is accepted.
    bool stopping = false;          ///< And the thread ends once the queue is empty.
    committer_stats stats;
    append_spool* spool = nullptr;
    std::size_t spool_users = 0;  ///< Threads that call it at this moment, outside the lock.
    /// The batch whose fate is open. While it is set, `done` of what it took is `mutex`'s.
    struct {
        append_batch const* batch = nullptr;
        batch_in_flight* taken = nullptr;
        bool is_spooled = false;
    } flight;
    /// Callers of batches that failed while they were being spooled: the spool answers them.
    std::map<batch_number, completions> left_to_spool;

    // Of the committer's thread alone.
    uuid producer = new_uuid_v7();
    std::int64_t sequence = 0;  ///< Of the last batch whose fate is known.
    clock::time_point last_used = clock::now();
    std::size_t last_batch_appends = 0;
    std::chrono::microseconds gather_wait{0};  ///< A quarter of the last commit's time, bounded.
    std::size_t gather_pause = 0;  ///< Commits that don't wait for all, after the last wait in vain.
    std::size_t pause_left = 0;    ///< Of them, those to come.

    std::thread thread;
};

}  // namespace linkledger::eventlog
