// The loop of one projection. What fails for the store's sake ends in `run`, which lets go and starts again.

#include "projections/worker.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace linkledger::projections {
namespace {

using eventlog::position;

constexpr std::chrono::milliseconds page_wait_max{250};
/// For the others that are at the head of the log.
constexpr std::chrono::milliseconds turn_wait_max{20};
/// Of a projection that is behind, in one batch.
constexpr std::size_t pages_at_once_max = 5;
constexpr std::chrono::seconds history_check_pause{2};
constexpr std::chrono::seconds parked_look_pause{1};

/// The log, not the projection's own database, could not answer.
class source_failure : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

template <typename T>
T value_or_throw(eventlog::result<T> result) {
    if (!result) throw source_failure{"the log: " + result.error().detail};
    return std::move(result).value();
}

bool is_stores_fault(sql::error const& failed) {
    return failed.what_kind() != sql::error::kind::constraint &&
           failed.what_kind() != sql::error::kind::other;
}

class gate_pass {
public:
    explicit gate_pass(pause_gate& gate) : gate_(gate), inside_(gate.enter()) {}
    ~gate_pass() {
        if (inside_) gate_.leave();
    }
    gate_pass(gate_pass const&) = delete;
    gate_pass& operator=(gate_pass const&) = delete;
    explicit operator bool() const { return inside_; }

private:
    pause_gate& gate_;
    bool inside_;
};

}  // namespace

worker::worker(projection& runs, build_id build, std::size_t number, worker_surroundings const& around)
    : runs_(runs), build_(build), number_(number), around_(around), name_(runs.name()) {
    for (auto const type : runs.event_types()) types_.emplace(type);
    status_.name = name_;
    status_.version = runs.version();
    status_.build = build.build;
}

void worker::set_live(bool live) {
    {
        std::lock_guard const lock{status_mutex_};
        status_.live = live;
    }
    std::lock_guard const lock{board_mutex_};
    if (live == live_) return;
    live_ = live;
    if (!live) return;
    around_.board.set_local(name_, runs_here_);
    if (!runs_here_) return;
    around_.board.reached(name_, told_);
    if (around_.options.moved) around_.options.moved(name_);
}

void worker::tell_board() {
    std::lock_guard const lock{board_mutex_};
    told_ = at_.position;
    if (!std::exchange(runs_here_, true) && live_) around_.board.set_local(name_, true);
    if (!live_) return;
    around_.board.reached(name_, told_);
    if (around_.options.moved) around_.options.moved(name_);
}

void worker::run() {
    auto pause = around_.options.retry_pause_min;
    while (!around_.gate.stopped() && !let_go_) {
        switch (turn()) {
            case after_turn::go_on:
                pause = around_.options.retry_pause_min;
                break;
            case after_turn::stand_by:
                around_.gate.sleep_for(around_.options.standby_pause);
                break;
            case after_turn::retry:
                around_.gate.sleep_for(pause);
                pause = std::min(pause * 2, around_.options.retry_pause_max);
                break;
        }
    }
    around_.feed.leave(number_);
    release();
    note_state(projection_state::stopped);
}

worker::after_turn worker::turn() {
    try {
        if (!lock_ && !acquire()) {
            note_state(projection_state::standby);
            return after_turn::stand_by;
        }
        step();
        return after_turn::go_on;
    } catch (source_failure const& failed) {
        note_failure(failed.what());
    } catch (std::exception const& failed) {
        note_failure(failed.what());
        release();
    }
    around_.feed.leave(number_);
    return after_turn::retry;
}

projection_status worker::known_status() const {
    std::lock_guard const lock{status_mutex_};
    return status_;
}

// ---- Taking over and letting go ---------------------------------------------------------------------------

bool worker::acquire() {
    if (!writer_ || !writer_->usable()) writer_ = around_.store.open_writer(name_, build_);
    auto lock = around_.store.try_lock(name_, build_, *writer_);
    if (!lock) return false;
    // What fails from here lets go again: without the checkpoint that the store has now, nothing is applied.
    adopt(value_or_throw(around_.source.head()));
    load_parked_events();
    next_parked_retry_ = clock::now();
    lock_ = std::move(lock);
    spdlog::info("projection {} v{}: runs here from position {}", name_, to_string(build_), at_.position);
    tell_board();
    return true;
}

/// Goes on from the stored checkpoint when it belongs to the log's history, else starts over.
void worker::adopt(eventlog::log_head const& head) {
    at_ = load_checkpoint(*writer_, name_, runs_.version());
    bool const same_history =
        at_.log_id == head.log_id && at_.epoch == head.epoch && at_.position <= head.last;
    next_history_check_ = clock::now() + history_check_pause;
    if (same_history) return;
    bool const started_before = !at_.log_id.is_nil();
    if (started_before)
        spdlog::warn("projection {} v{}: the log has another history; starting over", name_, runs_.version());
    sql::transaction transaction{*writer_, sql::connection::access::write};
    start_over(*writer_, runs_, head);
    transaction.commit();
    at_ = {head.log_id, head.epoch, 0, std::nullopt};
    around_.feed.clear();
    std::lock_guard const lock{status_mutex_};
    if (started_before) ++status_.rebuilds;
}

void worker::release() {
    {
        std::lock_guard const lock{board_mutex_};
        runs_here_ = false;
        if (live_) around_.board.set_local(name_, false);
    }
    lock_.reset();
    writer_.reset();
}

void worker::check_history() {
    if (clock::now() < next_history_check_) return;
    next_history_check_ = clock::now() + history_check_pause;
    auto const head = value_or_throw(around_.source.head());
    if (head.log_id == at_.log_id && head.epoch == at_.epoch && head.last >= at_.position) return;
    adopt(head);
    load_parked_events();
    tell_board();
}

// ---- Batches ----------------------------------------------------------------------------------------------

void worker::step() {
    {
        gate_pass const pass{around_.gate};
        if (!pass) {
            note_state(projection_state::paused);
            return around_.gate.wait_open();
        }
        check_history();
        if (!parked_.empty() && (clock::now() >= next_parked_retry_ || is_retry_wanted()))
            retry_parked_events();
    }
    auto const pages = next_pages();
    gate_pass const pass{around_.gate};
    if (!pass) {
        around_.feed.leave(number_);
        return note_state(projection_state::paused);
    }
    if (!pages.empty()) apply_pages(pages);
    bool const is_behind = !pages.empty() && is_full(*pages.back());
    note_state(is_behind ? projection_state::catching_up : projection_state::live);
}

bool worker::is_full(feed_page const& page) const {
    return page.events.size() >= around_.options.batch_events_max;
}

/// One page at the head of the log. Behind it, as many as are at hand: a batch writes what it touches once,
/// however often it is touched.
worker::page_list worker::next_pages() {
    page_list pages;
    auto after = at_.position;
    for (auto wait = page_wait_max; pages.size() < pages_at_once_max; wait = std::chrono::milliseconds{0}) {
        auto page = value_or_throw(around_.feed.next(number_, after, wait));
        if (!page) break;
        after = page->until;
        pages.push_back(std::move(page));
        if (!is_full(*pages.back())) break;
    }
    return pages;
}

void worker::apply_pages(page_list const& pages) {
    event_list wanted;
    defects_.clear();
    checkpoint to = at_;
    // A page may begin before the end of the one before it: others that are elsewhere made it.
    for (auto const& page : pages) {
        for (auto const& event : page->events) {
            if (event.stored.position > to.position && types_.contains(event.stored.body.type))
                wanted.push_back(&event);
        }
        defects_.insert(page->defects.begin(), page->defects.end());
        to.position = page->until;
        if (!page->events.empty()) to.recorded_at = page->events.back().stored.recorded_at;
    }

    // Who waits for a slow one goes on all the same, soon.
    std::unique_lock my_turn{around_.turns, std::defer_lock};
    if (!is_full(*pages.back())) static_cast<void>(my_turn.try_lock_for(turn_wait_max));
    auto const started = clock::now();
    apply_range(wanted, to);
    std::chrono::duration<double> const took = clock::now() - started;
    std::lock_guard const lock{status_mutex_};
    ++status_.batches;
    status_.events += wanted.size();
    status_.apply_seconds += took.count();
    status_.last_error.reset();
}

/// Commits a range and its checkpoint, in one transaction when nothing in it fails.
void worker::apply_range(event_batch events, checkpoint const& to) {
    share const what = split(events);
    auto const parked_total = static_cast<std::int64_t>(parked_.size() + what.parked.size());
    if (!what.parked.empty() && parked_total > around_.options.parked_max)
        throw std::runtime_error{"too many events cannot be applied; the first: " +
                                 (parked_.empty() ? what.parked.front() : parked_.front()).error};
    std::string why;
    try {
        commit(what, to);
    } catch (sql::error const& failed) {
        if (is_stores_fault(failed) || what.applied.empty()) throw;
        why = failed.what();
    } catch (std::exception const& failed) {
        if (what.applied.empty()) throw;
        why = failed.what();
    }
    if (!why.empty()) isolate(events, to, what, why);
}

/// Halves the range until the event that cannot be applied is alone, and parks that one.
void worker::isolate(event_batch events, checkpoint const& to, share const& failed, std::string const& why) {
    if (failed.applied.size() == 1) {
        auto const& event = *failed.applied.front();
        defects_.emplace(event.stored.position, why);
        spdlog::error("projection {} v{}: position {} ({}) cannot be applied and is parked: {}", name_,
                      runs_.version(), event.stored.position, event.stored.body.type, why);
        return apply_range(events, to);
    }
    auto const first = events.subspan(0, events.size() / 2);
    checkpoint middle = at_;
    middle.position = first.back()->stored.position;
    middle.recorded_at = first.back()->stored.recorded_at;
    apply_range(first, middle);
    apply_range(events.subspan(first.size()), to);
}

void worker::commit(share const& what, checkpoint const& to) {
    sql::transaction transaction{*writer_, sql::connection::access::write};
    if (!what.applied.empty()) runs_.apply(what.applied, *writer_);
    for (auto const& event : what.parked) park(*writer_, name_, runs_.version(), event);
    move_checkpoint(*writer_, name_, runs_.version(), at_, to);
    transaction.commit();

    at_ = to;
    for (auto const& event : what.parked) {
        parked_.push_back(event);
        parked_subjects_.insert(event.subject);
    }
    {
        std::lock_guard const lock{status_mutex_};
        status_.position = at_.position;
        status_.parked = static_cast<std::int64_t>(parked_.size());
    }
    tell_board();
}

/// An event of an aggregate that has parked events waits behind them.
worker::share worker::split(event_batch events) const {
    share what;
    if (defects_.empty() && parked_subjects_.empty()) {
        what.applied.assign(events.begin(), events.end());
        return what;
    }
    std::set<std::string> subjects = parked_subjects_;
    for (auto const* event : events) {
        auto const& stored = event->stored;
        auto const subject = subject_of(stored.stream);
        auto const defect = defects_.find(stored.position);
        if (subjects.contains(subject)) {
            what.parked.push_back(
                {stored.position, subject, stored.body.type, "waits for an earlier event", 0});
        } else if (defect != defects_.end()) {
            what.parked.push_back({stored.position, subject, stored.body.type, defect->second, 1});
            subjects.insert(subject);
        } else {
            what.applied.push_back(event);
        }
    }
    return what;
}

// ---- Parked events ----------------------------------------------------------------------------------------

void worker::load_parked_events() {
    parked_ = load_parked(*writer_, name_, runs_.version());
    parked_subjects_.clear();
    for (auto const& event : parked_) parked_subjects_.insert(event.subject);
    std::lock_guard const lock{status_mutex_};
    status_.position = at_.position;
    status_.parked = static_cast<std::int64_t>(parked_.size());
}

/// By this process, or by an operator elsewhere, who leaves the first event of an aggregate without an
/// attempt.
bool worker::is_retry_wanted() {
    if (retry_parked_.exchange(false)) return true;
    if (clock::now() < next_parked_look_) return false;
    next_parked_look_ = clock::now() + parked_look_pause;
    load_parked_events();
    std::set<std::string> seen;
    return std::any_of(parked_.begin(), parked_.end(), [&](parked_event const& event) {
        return seen.insert(event.subject).second && event.attempts == 0;
    });
}

/// In order; an aggregate whose first event fails again waits further.
void worker::retry_parked_events() {
    next_parked_retry_ = clock::now() + around_.options.parked_retry_pause;
    std::set<std::string> failing;
    for (auto event : parked_) {
        if (failing.contains(event.subject)) continue;
        std::string why;
        if (retry(event, why)) continue;
        failing.insert(event.subject);
        event.error = why;
        park_again(*writer_, name_, runs_.version(), event);
    }
    load_parked_events();
}

bool worker::retry(parked_event const& event, std::string& why) {
    eventlog::read_query query;
    query.after = event.position - 1;
    query.until = event.position;
    query.limit = 1;
    auto found = value_or_throw(around_.source.read(query));
    if (found.events.empty()) throw source_failure{"the log: a parked event is not there"};
    decoded_event decoded;
    decoded.stored = std::move(found.events.front());
    auto const readable = decode_stored(decoded, around_.keys, runs_.reads_cause());
    if (!readable) {
        if (readable.error().code != eventlog::failure_code::corrupted)
            throw source_failure{"the log: " + readable.error().detail};
        why = readable.error().detail;
        return false;
    }
    try {
        decoded_event const* const one = &decoded;
        sql::transaction transaction{*writer_, sql::connection::access::write};
        // An operator may have given it up meanwhile.
        if (!unpark(*writer_, name_, runs_.version(), event.position)) return true;
        runs_.apply({&one, 1}, *writer_);
        transaction.commit();
        return true;
    } catch (sql::error const& failed) {
        if (is_stores_fault(failed)) throw;
        why = failed.what();
    } catch (std::exception const& failed) {
        why = failed.what();
    }
    return false;
}

// ---- What others see --------------------------------------------------------------------------------------

void worker::note_state(projection_state now) {
    std::lock_guard const lock{status_mutex_};
    status_.state = now;
}

void worker::note_failure(std::string const& what) {
    spdlog::warn("projection {} v{}: {}; trying again", name_, runs_.version(), what);
    std::lock_guard const lock{status_mutex_};
    ++status_.failures;
    status_.state = projection_state::retrying;
    status_.last_error = what;
}

}  // namespace linkledger::projections
