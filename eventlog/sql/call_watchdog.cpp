#include "eventlog/sql/call_watchdog.h"

#include <pthread.h>
#include <sys/socket.h>

#include <algorithm>
#include <condition_variable>
#include <thread>
#include <vector>

namespace linkledger::sql {

/// The list and its thread, which sleeps while the list is empty.
class call_watchdog {
public:
    /// One per process. A process that was forked has no threads of the one that it came from, and finds
    /// locks as they were at that moment: with its first connection it starts a list of its own. It must end
    /// by _exit or exec.
    static call_watchdog& instance() {
        static call_watchdog first;
        [[maybe_unused]] static bool const follows_forks = ::pthread_atfork(nullptr, nullptr, [] {
                                                               is_child = true;
                                                               child_once = PTHREAD_ONCE_INIT;
                                                           }) == 0;
        if (!is_child) return first;
        ::pthread_once(&child_once, [] { of_child = new call_watchdog; });
        return *of_child;
    }

    void add(std::shared_ptr<watched_socket::state> each) {
        std::lock_guard const lock(mutex_);
        all_.push_back(std::move(each));
        wake_.notify_one();
    }
    void remove(std::shared_ptr<watched_socket::state> const& each) {
        std::lock_guard const lock(mutex_);
        std::erase(all_, each);
    }

private:
    static constexpr std::chrono::milliseconds tick{50};
    static inline bool is_child = false;
    static inline pthread_once_t child_once = PTHREAD_ONCE_INIT;
    static inline call_watchdog* of_child = nullptr;

    call_watchdog() : thread_([this] { run(); }) {}
    ~call_watchdog() {
        {
            std::lock_guard const lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_one();
        thread_.join();
    }

    void run() {
        std::unique_lock lock(mutex_);
        while (!stopping_) {
            wake_.wait(lock, [this] { return stopping_ || !all_.empty(); });
            wake_.wait_for(lock, tick, [this] { return stopping_; });
            auto const now = std::chrono::steady_clock::now();
            for (auto const& each : all_) check(*each, now);
        }
    }

    static void check(watched_socket::state& each, std::chrono::steady_clock::time_point now) {
        std::lock_guard const lock(each.mutex);
        if (!each.armed || each.fired || now < each.deadline) return;
        each.fired = true;
        ::shutdown(each.fd, SHUT_RDWR);
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<std::shared_ptr<watched_socket::state>> all_;
    bool stopping_ = false;
    std::thread thread_;
};

watched_socket::watched_socket() : state_(std::make_shared<state>()) {
    call_watchdog::instance().add(state_);
}

watched_socket::~watched_socket() {
    call_watchdog::instance().remove(state_);
}

void watched_socket::arm(int fd, std::chrono::milliseconds limit) {
    std::lock_guard const lock(state_->mutex);
    state_->fd = fd;
    state_->deadline = std::chrono::steady_clock::now() + limit;
    state_->armed = true;
    state_->fired = false;
}

bool watched_socket::disarm() {
    std::lock_guard const lock(state_->mutex);
    state_->armed = false;
    return state_->fired;
}

}  // namespace linkledger::sql
