// Waiters by position and by deadline, and one thread for deadlines and for checkpoints of other processes.

#include "projections/progress_board.h"

#include <algorithm>

namespace linkledger::projections {

progress_board::progress_board(read_store& store, std::vector<std::string> const& names,
                               std::chrono::milliseconds poll_pause, std::function<void()> on_waiter)
    : store_(store), poll_pause_(poll_pause), on_waiter_(std::move(on_waiter)) {
    for (auto const& name : names) places_.emplace(name, place{});
    thread_ = std::thread{[this] { run(); }};
}

progress_board::~progress_board() {
    stop();
    thread_.join();
}

void progress_board::set_local(std::string const& name, bool local) {
    std::lock_guard const lock{mutex_};
    places_.at(name).local = local;
    changed_.notify_all();
}

void progress_board::forget_local(std::string const& name) {
    std::lock_guard const lock{mutex_};
    auto& at = places_.at(name);
    if (at.local) at.position = 0;
    at.local = false;
    changed_.notify_all();
}

void progress_board::reached(std::string const& name, eventlog::position position) {
    finished done;
    {
        std::lock_guard const lock{mutex_};
        auto& at = places_.at(name);
        at.position = position;
        done = take_reached(at);
    }
    for (auto const& each : done) each(true);
}

void progress_board::when_at(std::string const& name, eventlog::position position,
                             std::chrono::milliseconds deadline, std::function<void(bool)> done) {
    bool reached = false;
    bool waits = false;
    {
        std::lock_guard const lock{mutex_};
        auto const found = places_.find(name);
        bool const known = found != places_.end() && !stopped_;
        reached = known && found->second.position >= position;
        waits = known && !reached && deadline.count() > 0;
        if (waits) {
            auto const id = ++last_id_;
            waiter fresh{name, position, clock::now() + deadline, std::move(done)};
            found->second.waiting.emplace(position, id);
            by_deadline_.emplace(fresh.deadline, id);
            waiters_.emplace(id, std::move(fresh));
            changed_.notify_all();
        }
    }
    if (!waits) {
        done(reached);
    } else if (on_waiter_) {
        on_waiter_();
    }
}

bool progress_board::anyone_waits_here(std::vector<std::string> const& names) {
    std::lock_guard const lock{mutex_};
    return std::any_of(names.begin(), names.end(), [&](std::string const& name) {
        auto const& at = places_.at(name);
        return at.local && !at.waiting.empty();
    });
}

bool progress_board::is_local(std::string const& name) {
    std::lock_guard const lock{mutex_};
    auto const found = places_.find(name);
    return found != places_.end() && found->second.local;
}

void progress_board::stop() {
    finished left;
    {
        std::lock_guard const lock{mutex_};
        stopped_ = true;
        for (auto& [id, each] : waiters_) left.push_back(std::move(each.done));
        waiters_.clear();
        by_deadline_.clear();
        for (auto& [name, at] : places_) at.waiting.clear();
        changed_.notify_all();
    }
    for (auto const& each : left) each(false);
}

void progress_board::run() {
    std::unique_lock lock{mutex_};
    while (!stopped_) {
        auto wake = clock::now() + std::chrono::hours{1};
        if (!by_deadline_.empty()) wake = by_deadline_.begin()->first;
        bool const polls = std::any_of(places_.begin(), places_.end(), [](auto const& entry) {
            return !entry.second.local && !entry.second.waiting.empty();
        });
        if (polls) {
            poll(lock);
            wake = std::min(wake, clock::now() + poll_pause_);
            // Further waiters are looked after with the next poll.
            changed_.wait_until(lock, wake, [&] { return stopped_; });
        } else {
            changed_.wait_until(lock, wake);
        }
        auto const expired = take_expired(clock::now());
        if (expired.empty()) continue;
        lock.unlock();
        for (auto const& each : expired) each(false);
        lock.lock();
    }
}

/// Looks up the checkpoints that someone waits for.
void progress_board::poll(std::unique_lock<std::mutex>& lock) {
    std::vector<std::string> wanted;
    for (auto const& [name, at] : places_) {
        if (!at.local && !at.waiting.empty()) wanted.push_back(name);
    }
    lock.unlock();
    for (auto const& name : wanted) {
        try {
            eventlog::position position = 0;
            store_.read(name, [&](snapshot const& seen) { position = seen.position; });
            reached(name, position);
        } catch (std::exception const&) {
            // The database is away, or what is live is of a newer executable. Waiters have deadlines, and the
            // read that follows says what is wrong.
        }
    }
    lock.lock();
}

progress_board::finished progress_board::take_reached(place& at) {
    finished done;
    while (!at.waiting.empty() && at.waiting.begin()->first <= at.position) {
        auto const id = at.waiting.begin()->second;
        done.push_back(std::move(waiters_.at(id).done));
        forget(id);
    }
    return done;
}

progress_board::finished progress_board::take_expired(clock::time_point now) {
    finished done;
    while (!by_deadline_.empty() && by_deadline_.begin()->first <= now) {
        auto const id = by_deadline_.begin()->second;
        done.push_back(std::move(waiters_.at(id).done));
        forget(id);
    }
    return done;
}

void progress_board::forget(std::uint64_t id) {
    auto const found = waiters_.find(id);
    by_deadline_.erase({found->second.deadline, id});
    places_.at(found->second.name).waiting.erase({found->second.position, id});
    waiters_.erase(found);
}

}  // namespace linkledger::projections
