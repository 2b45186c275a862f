// The thread of a committer: gathers, sends, resends, answers.

#include "eventlog/committer_state.h"

#include <algorithm>

namespace linkledger::eventlog {
namespace {

using clock = std::chrono::steady_clock;

/// The longest that a commit waits for appends beyond those that are there.
constexpr std::chrono::microseconds gather_wait_max{300};
/// After waits in vain, at most so many commits in a row don't wait for all.
constexpr std::size_t gather_pause_max = 64;

std::size_t events_of(append_request const& request) {
    std::size_t count = 0;
    for (stream_append const& append : request.streams) count += append.events.size();
    return count;
}

/// Whether the batch may have been written. A deadline that passed does not say that it was not.
bool is_unknown(failure const& why) {
    return why.code == failure_code::unknown_outcome || why.code == failure_code::timeout;
}

}  // namespace

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
        give_up(std::move(late.request), std::move(late.done), late.may_spool,
                failure{failure_code::timeout, "the write waited too long for its turn"});
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
    begin_flight(batch, taken);

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
    bool const was_spooled = end_flight(outcome.has_value());
    if (outcome) {
        sequence = batch.sequence;
        // The spool may send the batch once more, if this process dies before it is removed there: it has to
        // be its producer's last then.
        if (was_spooled) renew_producer();
        answer(taken, batch, std::move(outcome).value(), started);
    } else {
        abandon(taken, batch, outcome.error());
    }
}

void committer::state::begin_flight(append_batch const& batch, batch_in_flight& taken) {
    std::lock_guard const lock{mutex};
    flight = {&batch, &taken, false};
}

/// From here on what was taken is this thread's alone. Returns whether the batch is in the spool, too.
bool committer::state::end_flight(bool is_stored) {
    std::unique_lock lock{mutex};
    bool const was_spooled = flight.is_spooled;
    batch_number const number = number_of(*flight.batch);
    if (was_spooled && spool != nullptr && !is_stored) {
        completions waiting;
        take_spoolable(*flight.taken, waiting);
        if (!waiting.empty()) left_to_spool[number] = std::move(waiting);
    }
    flight = {};
    if (was_spooled && spool != nullptr) {
        with_spool(lock, [&](append_spool& to) { to.settle(number, is_stored); });
    }
    return was_spooled;
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
    completions overdue;
    {
        std::lock_guard const lock{mutex};
        for (pending& one : taken) {
            bool const is_late = one.accepted_at < oldest_waiting && !(one.may_spool && flight.is_spooled);
            if (is_late && one.done) overdue.push_back(std::exchange(one.done, nullptr));
            all_answered &= one.done == nullptr;
        }
    }
    for (auto const& each : overdue) each(unknown);
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
    owner.complete_together([&] {
        for (std::size_t i = 0; i < taken.size(); ++i) taken[i].complete(std::move(outcome.outcomes[i]));
    });
    if (owner.on_commit) owner.on_commit(took, taken.size());
}

/// Gives the batch up, with what its appends are told.
void committer::state::abandon(batch_in_flight& taken, append_batch& batch, failure const& why) {
    // A number must never stand for two batches, so the next one is another producer's.
    renew_producer();
    bool const lost_store = why.code != failure_code::corrupted;
    if (lost_store) set_available(false);
    for (std::size_t i = 0; i < taken.size(); ++i) {
        pending& one = taken[i];
        if (!one.done) continue;
        give_up(std::move(batch.appends[i]), std::exchange(one.done, nullptr), one.may_spool && lost_store,
                why);
    }
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
    for (pending& one : failed)
        give_up(std::move(one.request), std::move(one.done), one.may_spool, store_is_away());
}

/// What the store does not take goes to the spool, if it may.
void committer::state::give_up(append_request request, completion done, bool may_spool, failure const& why) {
    {
        std::unique_lock lock{mutex};
        if (may_spool && spool != nullptr) {
            return with_spool(lock, [&](append_spool& to) { to.keep(std::move(request), std::move(done)); });
        }
    }
    done(why);
}

/// Nothing is queued meanwhile: `submit` refuses.
void committer::state::wait_for_store() {
    for (;;) {
        if (log.head()) return set_available(true);
        std::unique_lock lock{mutex};
        if (wake.wait_for(lock, options.resend_pause, [&] { return stopping; })) return;
    }
}

}  // namespace linkledger::eventlog
