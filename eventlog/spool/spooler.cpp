#include "eventlog/spool/spooler.h"

#include "eventlog/crypto.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace linkledger::eventlog {
namespace {

using clock = std::chrono::steady_clock;

}  // namespace

spooler::spooler(event_log& log, committer& of, keyring& keys, spool& file, spooler_options options)
    : log_(log), committer_(of), keys_(keys), spool_(file), options_(std::move(options)) {
    committer_.set_spool(this);
    writer_ = std::thread{[this] { write_until_stopped(); }};
    sender_ = std::thread{[this] { send_until_stopped(); }};
}

spooler::~spooler() {
    committer_.set_spool(nullptr);
    {
        std::lock_guard const lock{mutex_};
        stopping_ = true;
    }
    wake_writer_.notify_all();
    wake_sender_.notify_all();
    writer_.join();
    sender_.join();
}

// ---- On the callers' threads ------------------------------------------------------------------------------

void spooler::keep(append_request request, append_completion done) {
    {
        std::lock_guard const lock{mutex_};
        if (!stopping_ && waiting_.size() < options_.waiting_max) {
            waiting_.push_back({std::move(request), std::move(done)});
            if (waiting_.size() == 1) wake_writer_.notify_one();
            return;
        }
        ++refused_;
    }
    done(failure{failure_code::queue_full, "too many clicks wait for the spool"});
}

void spooler::settle(batch_number const& number, bool is_stored) {
    std::lock_guard const lock{mutex_};
    settled_.push_back({number, is_stored});
    wake_writer_.notify_one();
}

void spooler::activate() {
    set_active();
    wake_sender();
}

void spooler::wake_sender() {
    std::lock_guard const lock{mutex_};
    is_sender_wanted_ = true;
    wake_sender_.notify_one();
}

void spooler::set_active() {
    if (active_.load(std::memory_order_relaxed)) return;
    active_since_ns_ = std::chrono::nanoseconds{clock::now().time_since_epoch()}.count();
    active_ = true;
    if (options_.note) options_.note(true, "the log does not answer in time: clicks are spooled");
}

std::chrono::milliseconds spooler::active_for() const {
    if (!is_active()) return {};
    clock::time_point const since{std::chrono::nanoseconds{active_since_ns_.load()}};
    return std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - since);
}

spooler::local_key spooler::known_local_key(std::string const& subject) const {
    std::lock_guard const lock{mutex_};
    auto const found = local_keys_.find(subject);
    return found == local_keys_.end() ? nullptr : found->second;
}

void spooler::make_local_key(std::string subject, std::function<void(result<local_key>)> done) {
    {
        std::lock_guard const lock{mutex_};
        if (!stopping_ && wanted_keys_.size() < options_.waiting_max) {
            wanted_keys_.push_back({std::move(subject), std::move(done)});
            wake_writer_.notify_one();
            return;
        }
    }
    done(failure{failure_code::queue_full, "too many keys are wanted at once"});
}

spooler_stats spooler::stats() const {
    spooler_stats now;
    now.active = active_;
    now.spool = spool_.stats();
    std::lock_guard const lock{mutex_};
    now.spooled = spooled_;
    now.sent_on = sent_on_;
    now.settled = settled_clicks_;
    now.refused = refused_;
    now.problem = problem_;
    return now;
}

// ---- The thread that writes -------------------------------------------------------------------------------

void spooler::write_until_stopped() {
    auto const look_every = std::max(options_.after / 4, std::chrono::milliseconds{5});
    for (bool last = false; !last;) {
        std::vector<waiting_append> clicks;
        std::vector<wanted_key> keys;
        std::vector<settlement> settled;
        {
            std::unique_lock lock{mutex_};
            wake_writer_.wait_for(lock, look_every, [&] {
                return stopping_ || !waiting_.empty() || !wanted_keys_.empty() || !settled_.empty();
            });
            clicks.swap(waiting_);
            keys.swap(wanted_keys_);
            settled.swap(settled_);
            last = stopping_;
        }
        for (auto const& wanted : keys) make_key(wanted);
        // What the spool would not take is better off where it waits.
        write(std::move(clicks),
              spool_.has_room() ? committer_.take_overdue(options_.after) : overdue_appends{});
        settle_all(settled);
    }
}

/// One sync for all that came since the last; then they are answered.
void spooler::write(std::vector<waiting_append> clicks, overdue_appends overdue) {
    std::move(overdue.queued.begin(), overdue.queued.end(), std::back_inserter(clicks));
    append_batch const& sent = overdue.sent;
    auto const count = clicks.size() + sent.appends.size();
    if (count == 0) return;
    set_active();

    std::vector<append_request> requests;
    requests.reserve(clicks.size());
    for (auto& one : clicks) requests.push_back(std::move(one.request));
    bool const was_empty = spool_.stats().clicks == 0;
    auto const kept = spool_.add(requests, sent);
    {
        std::lock_guard const lock{mutex_};
        (kept ? spooled_ : refused_) += count;
    }
    result<append_outcome> outcome = append_outcome{appended{}};
    if (!kept) outcome = kept.error();
    committer_.complete_together([&] {
        for (auto const& one : clicks) one.done(outcome);
    });
    // Their batch may have been stored, or may be yet.
    if (!kept) outcome = failure{failure_code::unknown_outcome, kept.error().detail};
    if (!sent.appends.empty()) committer_.answer_spooled(number_of(sent), outcome);
    if (!kept) note_problem(kept.error().detail);
    if (was_empty) wake_sender();
}

void spooler::settle_all(std::vector<settlement> const& settled) {
    for (auto const& [number, is_stored] : settled) {
        if (is_stored) {
            // A batch that cannot be removed now is sent once more. The log notices, because it is its
            // producer's last: the committer takes another one after a batch that was spooled.
            auto const removed = spool_.remove(number);
            if (!removed) {
                spool_.release(number);
                continue;
            }
            std::lock_guard const lock{mutex_};
            settled_clicks_ += removed.assume_value();
        } else {
            spool_.release(number);
        }
    }
    if (!settled.empty()) wake_sender();
}

void spooler::make_key(wanted_key const& wanted) {
    if (auto known = known_local_key(wanted.subject)) return wanted.done(known);
    auto fresh = keys_.make(wanted.subject);
    if (auto const kept = spool_.add_key(fresh.stored); !kept) return wanted.done(kept.error());
    {
        std::lock_guard const lock{mutex_};
        local_keys_[wanted.subject] = fresh.key;
    }
    wanted.done(fresh.key);
}

// ---- The thread that sends on -----------------------------------------------------------------------------

void spooler::send_until_stopped() {
    for (;;) {
        {
            std::lock_guard const lock{mutex_};
            if (stopping_) return;
        }
        if (send_one()) continue;
        pause(options_.retry_pause);
    }
}

bool spooler::send_one() {
    auto const started = clock::now();
    if (!active_ && spool_.stats().clicks == 0) return false;
    if (!bind()) return false;
    if (auto const settled = settle_keys(); !settled) {
        if (settled.error().code == failure_code::corrupted) note_problem(settled.error().detail);
        return false;
    }
    auto const batch =
        spool_.next([this](event_body& event, bool is_local) { return prepare(event, is_local); });
    if (!batch) {
        if (batch.error().code == failure_code::timeout) return true;
        note_problem(batch.error().detail);
        give_way(started);
        return false;
    }
    if (batch.assume_value()) return send(*batch.assume_value());
    // What is left is passed over, or a batch that the log has not answered yet: not a log that is well.
    if (!spool_.holds_any()) give_way(started);
    return false;
}

bool spooler::send(append_batch const& batch) {
    auto const started = clock::now();
    batch_number const number = number_of(batch);
    auto const outcome = log_.append(batch);
    if (!outcome && outcome.error().code != failure_code::corrupted) return false;
    if (!outcome) {
        // The log has been lost up to before it, or knows nothing of it any more.
        is_bound_ = false;
        if (!bind()) return false;
        auto const again = spool_.refuse(number);
        if (again && again.assume_value()) return true;
        note_problem("the log does not take " + std::to_string(batch.appends.size()) +
                     " clicks of the spool: " + outcome.error().detail + "; trying again in a minute");
        give_way(started);
        return false;
    }
    auto const removed = spool_.remove(number);
    if (!removed) {
        note_problem(removed.error().detail);
        give_way(started);
        return false;
    }
    auto const left = spool_.stats().clicks;
    {
        std::lock_guard const lock{mutex_};
        sent_on_ += removed.assume_value();
        if (left == 0) problem_.clear();
    }
    if (left == 0) static_cast<void>(spool_.forget_keys(settled_keys_.size()));
    if (left < options_.waiting_max / 16) give_way(started);
    return left > 0;
}

/// New clicks go the straight way again, where the log answers as it should.
void spooler::give_way(clock::time_point started) {
    if (!active_) return;
    if (!log_.head() || clock::now() - started >= options_.after) return;
    active_ = false;
    if (options_.note) options_.note(false, "the log answers again: clicks go to it");
}

bool spooler::bind() {
    if (is_bound_) return true;
    auto const head = log_.head();
    if (!head) return false;
    auto const bound = spool_.bind_history(head.assume_value());
    if (!bound) note_problem(bound.error().detail);
    is_bound_ = bound.has_value();
    return is_bound_;
}

/// Keys that were made without the log become the log's, unless it has others by now.
result<void> spooler::settle_keys() {
    for (auto const& local : spool_.keys_beyond(settled_keys_.size())) {
        auto own = keys_.unwrap(local);
        // Made under another master key: clicks count, what is personal in them stays sealed as if erased.
        if (!own && own.error().code == failure_code::corrupted) {
            note_problem(own.error().detail + ": clicks of the spool lose their visitor's details");
            settled_keys_[local.key_id] = {};
            continue;
        }
        if (!own) return own.error();
        auto kept = keys_.adopt(local);
        // One that was destroyed since it was the log's: what is sealed under it stays so.
        if (!kept && kept.error().code == failure_code::corrupted) kept = own.assume_value();
        if (!kept) return kept.error();
        settled_keys_[local.key_id] = {std::move(own).assume_value(), std::move(kept).assume_value()};
        std::lock_guard const lock{mutex_};
        auto const used = local_keys_.find(local.subject);
        if (used != local_keys_.end() && used->second->key_id == local.key_id) local_keys_.erase(used);
    }
    return boost::outcome_v2::success();
}

/// What was sealed under a key that the log did not take is sealed anew. Its visitor stays hashed under that
/// key, and counts once more than it should if it came another way on the same day.
result<void> spooler::prepare(event_body& event, bool is_local) {
    if (now() - event.occurred_at > options_.details_kept) {
        event.personal.key_id = new_uuid_v7();  // Nobody has that key: as if it had been erased.
        return boost::outcome_v2::success();
    }
    if (!is_local) return boost::outcome_v2::success();
    auto const found = settled_keys_.find(event.personal.key_id);
    // One that was made since settle_keys looked: the next round settles it.
    if (found == settled_keys_.end()) return failure{failure_code::timeout, "a key was made just now"};
    auto const& [own, kept] = found->second;
    if (own == nullptr || own->key_id == kept->key_id) return boost::outcome_v2::success();
    auto anew = keyring::reseal(event.personal, *own, *kept, event.event_id, sealed_part::personal);
    // What does not open under its own key opens under no other: it goes as it is.
    if (anew) event.personal = std::move(anew).assume_value();
    if (!anew && anew.error().code != failure_code::corrupted) return anew.error();
    return boost::outcome_v2::success();
}

void spooler::note_problem(std::string const& text) {
    {
        std::lock_guard const lock{mutex_};
        if (std::exchange(problem_, text) == text) return;
    }
    if (options_.note) options_.note(true, text);
}

void spooler::pause(std::chrono::milliseconds length) {
    std::unique_lock lock{mutex_};
    wake_sender_.wait_for(lock, length, [&] { return stopping_ || is_sender_wanted_; });
    is_sender_wanted_ = false;
}

}  // namespace linkledger::eventlog
