#include "eventlog/committer.h"

#include "eventlog/crypto.h"

#include <algorithm>

namespace linkledger::eventlog {
namespace {

using clock = std::chrono::steady_clock;

/// What an event or an entry takes beside its texts, roughly.
constexpr std::size_t fixed_bytes = 256;

/// The longest that a commit waits for appends beyond those that are there.
constexpr std::chrono::microseconds gather_wait_max{300};
/// After waits in vain, at most so many commits in a row don't wait for all.
constexpr std::size_t gather_pause_max = 64;

std::size_t bytes_of(append_request const& request) {
    std::size_t bytes = fixed_bytes;
    for (stream_append const& append : request.streams) {
        for (event_body const& event : append.events) {
            bytes += fixed_bytes + append.stream.size() + event.type.size() + event.data.size() +
                     event.personal.bytes.size() + event.context.bytes.size() + event.metadata.size();
        }
    }
    for (claim_change const& claim : request.claims) {
        bytes += claim.scope.size() + claim.key.size() + claim.owner.size();
    }
    if (request.idempotency) bytes += request.idempotency->response.size();
    return bytes;
}

std::size_t events_of(append_request const& request) {
    std::size_t count = 0;
    for (stream_append const& append : request.streams) count += append.events.size();
    return count;
}

/// Whether the batch may have been written. A deadline that passed does not say that it was not.
bool is_unknown(failure const& why) {
    return why.code == failure_code::unknown_outcome || why.code == failure_code::timeout;
}

failure away() {
    return {failure_code::unavailable, "the event log cannot be reached"};
}

}  // namespace

/// An append that was accepted and not yet answered.
struct committer::pending {
    append_request request;
    completion done;
    clock::time_point accepted_at;
    std::size_t bytes = 0;

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

    void submit(append_request request, completion done);
    bool drain(std::chrono::milliseconds deadline);
    committer_stats read_stats();

private:
    using batch_in_flight = std::vector<pending>;

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
    void abandon(batch_in_flight& taken, failure const& why);
    void renew_producer();
    void fail_queued();
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

// ---- On the callers' threads
// --------------------------------------------------------------------------------

void committer::state::submit(append_request request, completion done) {
    pending one{std::move(request), std::move(done), clock::now(), 0};
    one.bytes = bytes_of(one.request);
    failure refused;
    {
        std::lock_guard const lock{mutex};
        bool const full =
            queue.size() >= options.queue_appends_max || queued_bytes + one.bytes > options.queue_bytes_max;
        if (draining || stopping) {
            refused = {failure_code::shutting_down, "the process is stopping"};
        } else if (!stats.store_available) {
            refused = away();
        } else if (full) {
            ++stats.refused_full;
            refused = {failure_code::queue_full, "too many writes are waiting"};
        } else {
            queued_bytes += one.bytes;
            queue.push_back(std::move(one));
            if (queue.size() == 1 || queue.size() == gather_target) wake.notify_one();
            return;
        }
    }
    one.complete(std::move(refused));
}

bool committer::state::drain(std::chrono::milliseconds deadline) {
    std::unique_lock lock{mutex};
    draining = true;
    wake.notify_all();
    return idle.wait_for(lock, deadline, [&] { return queue.empty() && !busy; });
}

committer_stats committer::state::read_stats() {
    std::lock_guard const lock{mutex};
    committer_stats now = stats;
    now.queued = queue.size();
    return now;
}

// ---- On the committer's thread
// ------------------------------------------------------------------------------

void committer::state::run() {
    batch_in_flight taken;
    while (take(taken)) {
        if (!taken.empty()) commit(taken);
        taken.clear();
        std::lock_guard const lock{mutex};
        busy = false;
        if (queue.empty()) idle.notify_all();
    }
}

/// Takes what waits, as much as a batch may hold; what waited too long is answered here. False: stop.
bool committer::state::take(batch_in_flight& taken) {
    batch_in_flight expired;
    {
        std::unique_lock lock{mutex};
        gather_target = target_of(queue.size() + last_batch_appends);
        wake.wait(lock, [&] { return stopping || !queue.empty(); });
        if (queue.empty()) return false;
        note_gathering(wake.wait_for(lock, gather_wait,
                                     [&] { return stopping || draining || queue.size() >= gather_target; }));
        busy = true;
        auto const oldest_allowed = clock::now() - options.queue_wait_max;
        std::size_t bytes = 0;
        while (!queue.empty() && taken.size() < options.batch_appends_max) {
            pending& next = queue.front();
            if (!taken.empty() && bytes + next.bytes > options.batch_bytes_max) break;
            queued_bytes -= next.bytes;
            if (next.accepted_at < oldest_allowed) {
                expired.push_back(std::move(next));
            } else {
                bytes += next.bytes;
                taken.push_back(std::move(next));
            }
            queue.pop_front();
        }
    }
    for (pending& late : expired) {
        late.complete(failure{failure_code::timeout, "the write waited too long for its turn"});
    }
    return true;
}

/// Who was answered just now is likely to ask again at once: a short wait for them makes one fsync of two.
/// Where they take longer than that, half of them is enough: their requests are worked on while the others'
/// are written, so neither the disk nor the cores wait.
std::size_t committer::state::target_of(std::size_t askers) const {
    std::size_t const wanted = pause_left == 0 ? askers : (askers + 1) / 2;
    return std::min(wanted, options.batch_appends_max);
}

/// A wait in vain doubles the time until the next try.
void committer::state::note_gathering(bool complete) {
    if (pause_left > 0) {
        --pause_left;
    } else {
        gather_pause = complete ? 0 : std::min(gather_pause * 2 + 1, gather_pause_max);
        pause_left = gather_pause;
    }
}

void committer::state::commit(batch_in_flight& taken) {
    if (clock::now() - last_used >= options.producer_idle_max) renew_producer();
    append_batch batch{producer, sequence + 1, {}};
    batch.appends.reserve(taken.size());
    for (pending& one : taken) batch.appends.push_back(std::move(one.request));

    auto const started = clock::now();
    last_used = started;
    auto outcome = log.append(batch);
    if (!outcome && outcome.error().code != failure_code::corrupted) {
        // Once more at once: a connection that broke while it was idle says nothing of the store. A server
        // that stands still may hold up each attempt for seconds: who has waited long enough is told first.
        if (is_unknown(outcome.error())) static_cast<void>(answer_overdue(taken, outcome.error()));
        outcome = send_again(batch, is_unknown(outcome.error()));
    }
    if (!outcome && is_unknown(outcome.error())) outcome = resend_until_known(batch, taken);
    if (outcome) {
        sequence = batch.sequence;
        answer(taken, batch, std::move(outcome).value(), started);
    } else {
        abandon(taken, outcome.error());
    }
}

/// An attempt after the first. What was unknown stays unknown where this attempt did not get through.
result<batch_outcome> committer::state::send_again(append_batch const& batch, bool fate_is_unknown) {
    {
        std::lock_guard const lock{mutex};
        ++stats.resent;
    }
    auto outcome = log.append(batch);
    if (!outcome && fate_is_unknown && outcome.error().code != failure_code::corrupted) {
        outcome.error().code = failure_code::unknown_outcome;
    }
    return outcome;
}

/// Goes on until the store says what became of the batch. Meanwhile nothing else is accepted, and who has
/// waited long enough is told that the outcome is unknown.
result<batch_outcome> committer::state::resend_until_known(append_batch const& batch,
                                                           batch_in_flight& taken) {
    set_available(false);
    fail_queued();
    for (;;) {
        std::this_thread::sleep_for(options.resend_pause);
        auto outcome = send_again(batch, true);
        if (outcome || !is_unknown(outcome.error())) {
            set_available(true);
            return outcome;
        }
        bool const all_answered = answer_overdue(taken, outcome.error());
        std::lock_guard const lock{mutex};
        if (stopping && all_answered) return outcome;
    }
}

/// Tells those who have waited long enough that the outcome is unknown. True when nobody is left.
bool committer::state::answer_overdue(batch_in_flight& taken, failure const& why) {
    failure const unknown{failure_code::unknown_outcome, why.detail};
    auto const oldest_waiting = clock::now() - options.queue_wait_max;
    bool all_answered = true;
    for (pending& one : taken) {
        if (one.accepted_at < oldest_waiting) one.complete(unknown);
        all_answered &= one.done == nullptr;
    }
    return all_answered;
}

void committer::state::answer(batch_in_flight& taken, append_batch const& batch, batch_outcome outcome,
                              clock::time_point started) {
    auto const took = std::chrono::duration_cast<std::chrono::microseconds>(clock::now() - started);
    last_batch_appends = taken.size();
    gather_wait = std::min(took / 4, gather_wait_max);
    std::size_t events = 0;
    for (std::size_t i = 0; i < taken.size(); ++i) {
        if (std::holds_alternative<appended>(outcome.outcomes[i])) events += events_of(batch.appends[i]);
    }
    {
        std::lock_guard const lock{mutex};
        ++stats.batches;
        stats.appends += taken.size();
        stats.events += events;
    }
    auto const complete = [&] {
        for (std::size_t i = 0; i < taken.size(); ++i) taken[i].complete(std::move(outcome.outcomes[i]));
    };
    if (owner.around_completions) {
        owner.around_completions(complete);
    } else {
        complete();
    }
    if (owner.on_commit) owner.on_commit(took, taken.size());
}

/// Gives the batch up, with what its appends are told.
void committer::state::abandon(batch_in_flight& taken, failure const& why) {
    // A number must never stand for two batches, so the next one is another producer's.
    renew_producer();
    bool const lost_store = why.code != failure_code::corrupted;
    if (lost_store) set_available(false);
    for (pending& one : taken) one.complete(why);
    if (!lost_store) return;
    fail_queued();
    wait_for_store();
}

void committer::state::renew_producer() {
    producer = new_uuid_v7();
    sequence = 0;
}

void committer::state::set_available(bool available) {
    std::lock_guard const lock{mutex};
    stats.store_available = available;
}

void committer::state::fail_queued() {
    std::deque<pending> failed;
    {
        std::lock_guard const lock{mutex};
        failed.swap(queue);
        queued_bytes = 0;
    }
    for (pending& one : failed) one.complete(away());
}

/// Nothing is queued meanwhile: `submit` refuses.
void committer::state::wait_for_store() {
    for (;;) {
        if (log.head()) return set_available(true);
        std::unique_lock lock{mutex};
        if (wake.wait_for(lock, options.resend_pause, [&] { return stopping; })) return;
    }
}

// ---- The public face
// ----------------------------------------------------------------------------------------

committer::committer(event_log& log, committer_options const& options)
    : state_(std::make_unique<state>(*this, log, options)) {}

committer::~committer() = default;

void committer::submit(append_request request, completion done) {
    state_->submit(std::move(request), std::move(done));
}

bool committer::drain(std::chrono::milliseconds deadline) {
    return state_->drain(deadline);
}

committer_stats committer::stats() const {
    return state_->read_stats();
}

}  // namespace linkledger::eventlog
