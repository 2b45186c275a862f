#include "eventlog/redis/client.h"

#include <utility>

namespace linkledger::redis {

/// Looks once before it returns, so that what is made of it next knows whether Redis is there.
client::client(client_options const& how) : options_(how) {
    try {
        auto first = std::make_unique<connection>(options_.connect);
        first->call({"PING"});
        give_back(std::move(first));
        note_up();
    } catch (error const& failed) {
        note_down(failed.what());
    }
    watcher_ = std::thread{[this] { watch(); }};
}

client::~client() {
    {
        std::lock_guard const lock{mutex_};
        stopping_ = true;
    }
    changed_.notify_all();
    watcher_.join();
}

void client::run(std::function<void(connection&)> const& work) {
    if (!up()) throw error{error::kind::unavailable, "Redis is away"};
    calls_.fetch_add(1, std::memory_order_relaxed);
    try {
        auto lent = take();
        work(*lent);
        give_back(std::move(lent));
    } catch (error const& failed) {
        failures_.fetch_add(1, std::memory_order_relaxed);
        if (failed.what_kind() == error::kind::unavailable) note_down(failed.what());
        throw;
    }
}

client_stats client::stats() const {
    std::lock_guard const lock{mutex_};
    return {up(), calls_.load(std::memory_order_relaxed), failures_.load(std::memory_order_relaxed),
            up() ? std::string{} : problem_};
}

/// Asks on a connection of its own: lent ones may be old, and this one tells of a server that has stopped
/// answering before anybody else waits for it.
void client::watch() {
    std::unique_ptr<connection> own;
    std::unique_lock lock{mutex_};
    while (!changed_.wait_for(lock, options_.check_pause, [this] { return stopping_; })) {
        lock.unlock();
        try {
            if (!own) own = std::make_unique<connection>(options_.connect);
            own->call({"PING"});
            note_up();
        } catch (error const& failed) {
            own.reset();
            note_down(failed.what());
        }
        lock.lock();
    }
}

void client::note_up() {
    {
        std::lock_guard const lock{mutex_};
        if (up_.exchange(true) && told_up_) return;
        problem_.clear();
        told_up_ = true;
        told_down_ = false;
    }
    if (options_.note) options_.note(true, "Redis at " + to_string(options_.connect.where) + " answers");
}

void client::note_down(std::string const& why) {
    {
        std::lock_guard const lock{mutex_};
        up_ = false;
        problem_ = why;
        idle_.clear();
        if (std::exchange(told_down_, true)) return;
        told_up_ = false;
    }
    if (options_.note) options_.note(false, why);
}

std::unique_ptr<connection> client::take() {
    {
        std::lock_guard const lock{mutex_};
        if (!idle_.empty()) {
            auto one = std::move(idle_.back());
            idle_.pop_back();
            return one;
        }
    }
    return std::make_unique<connection>(options_.connect);
}

void client::give_back(std::unique_ptr<connection> one) {
    std::lock_guard const lock{mutex_};
    if (idle_.size() < options_.idle_max) idle_.push_back(std::move(one));
}

}  // namespace linkledger::redis
