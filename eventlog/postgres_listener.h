#pragma once
// Knows how far the log has come: by this process's own appends at once, by those of others through
// notifications, and by a look at the head while someone waits.

#include "eventlog/event_log.h"
#include "eventlog/sql/postgres_connection.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace linkledger::eventlog {

/// Safe to call from any thread. Its own thread reconnects after failures; until then waiters see this
/// process's appends only. It makes partitions ahead of need, and forgets
/// producers of long ago.
class postgres_listener {
public:
    postgres_listener(sql::postgres_options options, std::int64_t partition_events);
    ~postgres_listener();
    postgres_listener(postgres_listener const&) = delete;
    postgres_listener& operator=(postgres_listener const&) = delete;

    /// Every position up to this one is committed; there may be more.
    [[nodiscard]] position known_head() const { return known_.load(std::memory_order_acquire); }
    /// The log is known to reach this far.
    void saw(position head);
    bool wait_beyond(position after, std::chrono::milliseconds deadline);

private:
    void run();
    void follow(sql::postgres_connection& connection);
    void look(sql::postgres_connection& connection);
    void forget_beyond(position head, position known_before);
    void extend(sql::postgres_connection& connection);
    void forget_producers(sql::postgres_connection& connection);
    void pause(std::chrono::milliseconds time);

    sql::postgres_options options_;
    std::int64_t partition_events_;
    std::mutex mutex_;
    std::condition_variable moved_, stop_;
    std::atomic<position> known_{0};
    std::atomic<int> waiting_{0};
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace linkledger::eventlog
