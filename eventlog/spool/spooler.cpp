#include "eventlog/spool/spooler.h"

#include "eventlog/crypto.h"

#include <algorithm>
#include <utility>

namespace linkledger::eventlog {
namespace {

using clock = std::chrono::steady_clock;

/// A log that says that a batch cannot be right will say so again.
constexpr std::chrono::seconds pause_after_refusal{5};

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

void spooler::keep(append_request request, committer::completion done) {
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

void spooler::settle(uuid const& producer, std::int64_t sequence, bool is_stored) {
    std::lock_guard const lock{mutex_};
    settled_.push_back({{producer, sequence}, is_stored});
    wake_writer_.notify_one();
}

void spooler::activate() {
    set_active();
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
        std::vector<waiting_click> clicks;
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
        write(std::move(clicks), committer_.take_overdue(options_.after));
        settle_all(settled);
    }
}

/// One sync for all that came since the last; then they are answered.
void spooler::write(std::vector<waiting_click> clicks, overdue_appends overdue) {
    for (auto& one : overdue.queued) clicks.push_back({std::move(one.request), std::move(one.done)});
    if (clicks.empty() && overdue.sent.empty()) return;
    set_active();

    std::vector<append_request> requests;
    requests.reserve(clicks.size());
    for (auto& one : clicks) requests.push_back(std::move(one.request));
    std::optional<unsettled_batch> sent;
    batch_number const number{overdue.producer, overdue.sequence};
    auto const count = requests.size() + overdue.sent.size();
    if (!overdue.sent.empty()) sent.emplace(unsettled_batch{number, std::move(overdue.sent)});
    auto const kept = spool_.add(requests, sent);
    {
        std::lock_guard const lock{mutex_};
        (kept ? spooled_ : refused_) += count;
    }
    result<append_outcome> outcome = append_outcome{appended{}};
    if (!kept) outcome = kept.error();
    auto const answer = [&] {
        for (auto const& one : clicks) one.done(outcome);
    };
    if (committer_.around_completions) {
        committer_.around_completions(answer);
    } else {
        answer();
    }
    if (sent) committer_.answer_spooled(number.producer, number.sequence, outcome);
    if (!kept) note_problem(kept.error().detail);
    wake_sender_.notify_one();
}

void spooler::settle_all(std::vector<settlement> const& settled) {
    for (auto const& [number, is_stored] : settled) {
        if (is_stored) {
            // A batch that cannot be removed now is sent once more, which the log notices.
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
    if (!settled.empty()) wake_sender_.notify_one();
}

void spooler::make_key(wanted_key const& wanted) {
    if (auto known = known_local_key(wanted.subject)) return wanted.done(std::move(known));
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
    if (!active_ && spool_.stats().clicks == 0) return false;
    if (!bind() || !settle_keys()) return false;
    auto const batch = spool_.next([this](event_body& event) { return prepare(event); });
    if (!batch) {
        if (batch.error().code == failure_code::timeout) return true;
        note_problem(batch.error().detail);
        return false;
    }
    auto const started = clock::now();
    if (batch.assume_value()) {
        auto const& sent = *batch.assume_value();
        auto const outcome = log_.append(sent);
        if (!outcome) {
            if (outcome.error().code != failure_code::corrupted) return false;
            note_problem(outcome.error().detail);
            is_bound_ = false;
            pause(pause_after_refusal);
            return false;
        }
        if (auto const removed = spool_.remove({sent.producer, sent.sequence}); !removed) {
            note_problem(removed.error().detail);
            return false;
        }
        std::lock_guard const lock{mutex_};
        sent_on_ += sent.appends.size();
        problem_.clear();
    } else if (spool_.stats().clicks > 0 || !log_.head()) {
        return false;
    }
    // What is left is less than a batch, and the log answers as it should: new clicks may go the straight
    // way.
    auto const left = spool_.stats().clicks;
    if (active_ && left < options_.waiting_max / 16 && clock::now() - started < options_.after) {
        active_ = false;
        if (options_.note) options_.note(false, "the log answers again: clicks go to it");
    }
    return left > 0;
}

bool spooler::bind() {
    if (is_bound_) return true;
    auto const head = log_.head();
    if (!head) return false;
    auto const bound = spool_.bind_history(head.assume_value());
    if (!bound) {
        note_problem(bound.error().detail);
        pause(pause_after_refusal);
    }
    is_bound_ = bound.has_value();
    return is_bound_;
}

/// Keys that were made without the log become the log's, unless it has others by now.
result<void> spooler::settle_keys() {
    for (auto const& local : spool_.keys_beyond(settled_keys_.size())) {
        BOOST_OUTCOME_TRY(auto own, keys_.unwrap(local));
        BOOST_OUTCOME_TRY(auto kept, keys_.adopt(local));
        settled_keys_[local.key_id] = {std::move(own), std::move(kept)};
        std::lock_guard const lock{mutex_};
        auto const used = local_keys_.find(local.subject);
        if (used != local_keys_.end() && used->second->key_id == local.key_id) local_keys_.erase(used);
    }
    return boost::outcome_v2::success();
}

/// What was sealed under a key that the log did not take is sealed anew. Its visitor stays hashed under that
/// key, and counts once more than it should if it came another way on the same day.
result<void> spooler::prepare(event_body& event) {
    auto const found = settled_keys_.find(event.personal.key_id);
    if (found == settled_keys_.end()) {
        // One that was made since settle_keys looked: the next round settles it.
        std::lock_guard const lock{mutex_};
        bool const is_local = std::any_of(local_keys_.begin(), local_keys_.end(), [&](auto const& each) {
            return each.second->key_id == event.personal.key_id;
        });
        if (is_local) return failure{failure_code::timeout, "a key was made just now"};
        return boost::outcome_v2::success();
    }
    auto const& [own, kept] = found->second;
    if (own->key_id == kept->key_id) return boost::outcome_v2::success();
    BOOST_OUTCOME_TRY(event.personal,
                      keyring::reseal(event.personal, *own, *kept, event.event_id, sealed_part::personal));
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
    if (!stopping_) wake_sender_.wait_for(lock, length);
}

}  // namespace linkledger::eventlog
