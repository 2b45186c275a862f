#include "eventlog/committer.h"

#include "eventlog/committer_state.h"

#include <algorithm>

namespace linkledger::eventlog {
namespace {

using clock = std::chrono::steady_clock;

/// What an event or an entry takes beside its texts, roughly.
constexpr std::size_t event_bytes = 256;

std::size_t bytes_of(append_request const& request) {
    std::size_t bytes = event_bytes;
    for (stream_append const& append : request.streams) {
        for (event_body const& event : append.events) {
            bytes += event_bytes + append.stream.size() + event.type.size() + event.data.size() +
                     event.personal.bytes.size() + event.context.bytes.size() + event.metadata.size();
        }
    }
    for (claim_change const& claim : request.claims) {
        bytes += claim.scope.size() + claim.key.size() + claim.owner.size();
    }
    if (request.idempotency) bytes += request.idempotency->response.size();
    return bytes;
}

}  // namespace

// ---- On the callers' threads
// --------------------------------------------------------------------------------

void committer::state::submit(append_request request, completion done, bool may_spool) {
    pending one{std::move(request), std::move(done), clock::now(), 0, may_spool};
    one.bytes = bytes_of(one.request);
    failure refused;
    {
        std::unique_lock lock{mutex};
        bool const full =
            queue.size() >= options.queue_appends_max || queued_bytes + one.bytes > options.queue_bytes_max;
        bool const spools = may_spool && spool != nullptr;
        if (draining || stopping) {
            refused = {failure_code::shutting_down, "the process is stopping"};
        } else if (spools && (spool->is_active() || !stats.store_available)) {
            return with_spool(
                lock, [&](append_spool& to) { to.keep(std::move(one.request), std::move(one.done)); });
        } else if (!stats.store_available) {
            refused = store_is_away();
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

void committer::state::set_spool(append_spool* to) {
    std::unique_lock lock{mutex};
    spool = to;
    idle.wait(lock, [&] { return spool_users == 0; });
}

overdue_appends committer::state::take_overdue(std::chrono::milliseconds age) {
    overdue_appends found;
    std::lock_guard const lock{mutex};
    auto const oldest_allowed = clock::now() - age;
    auto const is_overdue = [&](pending const& one) {
        return one.may_spool && one.done && one.accepted_at < oldest_allowed;
    };
    bool const flies = flight.batch != nullptr && !flight.is_spooled;
    bool const any = std::any_of(queue.begin(), queue.end(), is_overdue) ||
                     (flies && std::any_of(flight.taken->begin(), flight.taken->end(), is_overdue));
    if (!any) return found;
    take_overdue_queued(found);
    if (!flies) return found;
    found.sent = {flight.batch->producer, flight.batch->sequence, {}};
    for (std::size_t i = 0; i < flight.taken->size(); ++i) {
        pending const& one = (*flight.taken)[i];
        if (one.may_spool && one.done) found.sent.appends.push_back(flight.batch->appends[i]);
    }
    flight.is_spooled = !found.sent.appends.empty();
    return found;
}

void committer::state::take_overdue_queued(overdue_appends& into) {
    std::deque<pending> others;
    for (pending& one : queue) {
        if (!one.may_spool) {
            others.push_back(std::move(one));
            continue;
        }
        queued_bytes -= one.bytes;
        into.queued.push_back({std::move(one.request), std::move(one.done)});
    }
    queue = std::move(others);
}

void committer::state::answer_spooled(batch_number const& number, result<append_outcome> const& outcome) {
    completions answered;
    {
        std::lock_guard const lock{mutex};
        if (flight.batch != nullptr && number_of(*flight.batch) == number) {
            take_spoolable(*flight.taken, answered);
        } else if (auto left = left_to_spool.extract(number)) {
            answered = std::move(left.mapped());
        }
    }
    owner.complete_together([&] {
        for (auto const& each : answered) each(outcome);
    });
}

void committer::state::take_spoolable(batch_in_flight& taken, completions& into) {
    for (pending& one : taken) {
        if (one.may_spool && one.done) into.push_back(std::exchange(one.done, nullptr));
    }
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

// ---- The public face
// ----------------------------------------------------------------------------------------

committer::committer(event_log& log, committer_options const& options)
    : state_(std::make_unique<state>(*this, log, options)) {}

committer::~committer() = default;

void committer::submit(append_request request, completion done, bool may_spool) {
    state_->submit(std::move(request), std::move(done), may_spool);
}

void committer::set_spool(append_spool* spool) {
    state_->set_spool(spool);
}

overdue_appends committer::take_overdue(std::chrono::milliseconds age) {
    return state_->take_overdue(age);
}

void committer::answer_spooled(batch_number const& number, result<append_outcome> const& outcome) {
    state_->answer_spooled(number, outcome);
}

void committer::complete_together(std::function<void()> const& complete) const {
    if (around_completions) {
        around_completions(complete);
    } else {
        complete();
    }
}

bool committer::drain(std::chrono::milliseconds deadline) {
    return state_->drain(deadline);
}

committer_stats committer::stats() const {
    return state_->read_stats();
}

}  // namespace linkledger::eventlog
