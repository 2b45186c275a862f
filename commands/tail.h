#pragma once
// Follows the end of the log on a thread of its own and hands on every event but clicks, so that what this
// process holds in memory is at most 100 ms old while the log is reached.

#include "eventlog/event_log.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <thread>

namespace linkledger::commands {

struct tail_handlers {
    std::function<void(eventlog::recorded_event const&)> on_event;
    /// Another log id or epoch, or a log that lost its end: everything learnt from it is void.
    std::function<void()> on_other_history;
};

/// The handlers run on the tail's thread.
class tail {
public:
    /// Begins after `from`, whose history is the one that what is in memory was learnt from, `silence` ago.
    tail(eventlog::event_log& log, eventlog::log_head const& from, std::chrono::milliseconds silence,
         tail_handlers handlers);
    ~tail();
    tail(tail const&) = delete;
    tail& operator=(tail const&) = delete;

    void stop();

    /// Everything up to here was handed on.
    [[nodiscard]] eventlog::position position() const { return position_.load(std::memory_order_acquire); }
    /// The history that is followed, and how far it was handed on.
    [[nodiscard]] eventlog::log_head history() const;
    /// Since the log last answered.
    [[nodiscard]] std::chrono::milliseconds since_contact() const;

private:
    void run();
    bool follow_once();
    bool check_history();
    void note_contact(std::chrono::milliseconds ago = {});

    eventlog::event_log& log_;
    mutable std::mutex history_mutex_;
    eventlog::log_head history_;
    tail_handlers handlers_;
    std::atomic<eventlog::position> position_;
    std::atomic<std::int64_t> contact_ns_{0};
    std::chrono::steady_clock::time_point history_checked_{};
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace linkledger::commands
