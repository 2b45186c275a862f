#pragma once
// Lets work be held up and stopped from outside: what the threads of a runner pass before each batch.

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace linkledger::projections {

/// Safe to call from any thread.
class pause_gate {
public:
    /// Counts the caller as inside; false, without waiting, while the gate is closed.
    [[nodiscard]] bool enter() {
        std::lock_guard const lock{mutex_};
        if (closed_ || stopped_) return false;
        ++inside_;
        return true;
    }
    void leave() {
        std::lock_guard const lock{mutex_};
        --inside_;
        changed_.notify_all();
    }

    /// Returns once nobody is inside.
    void close() {
        std::unique_lock lock{mutex_};
        closed_ = true;
        changed_.wait(lock, [&] { return inside_ == 0; });
    }
    void open() {
        std::lock_guard const lock{mutex_};
        closed_ = false;
        changed_.notify_all();
    }
    void stop() {
        std::lock_guard const lock{mutex_};
        stopped_ = true;
        changed_.notify_all();
    }
    [[nodiscard]] bool stopped() {
        std::lock_guard const lock{mutex_};
        return stopped_;
    }

    /// Waits until the gate is open, or stopped.
    void wait_open() {
        std::unique_lock lock{mutex_};
        changed_.wait(lock, [&] { return !closed_ || stopped_; });
    }
    /// Sleeps, until stopped.
    void sleep_for(std::chrono::milliseconds pause) {
        std::unique_lock lock{mutex_};
        changed_.wait_for(lock, pause, [&] { return stopped_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool closed_ = false;
    bool stopped_ = false;
    int inside_ = 0;
};

}  // namespace linkledger::projections
