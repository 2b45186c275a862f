#pragma once
// Copies the real-time counters from the projection's committed table to Redis.

#include "eventlog/redis/client.h"
#include "projections/read_store.h"
#include "projections/realtime/realtime_queries.h"
#include "projections/realtime/redis_guard.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace linkledger::projections::realtime {

struct redis_writer_options {
    std::size_t rows_per_step = 1'000;  ///< 3 at least: a position may have two rows.
    /// Between looks at the guard while nothing moves: how soon a flushed Redis is noticed.
    std::chrono::milliseconds check_pause{500};
    /// Between copies of all counters that are open, whatever the guard says: mends what was evicted, and
    /// late clicks that were parked.
    std::chrono::minutes sweep_pause{10};
    std::chrono::milliseconds retry_pause_min{50};
    std::chrono::milliseconds retry_pause_max{2'000};
    /// Whether this process runs the projection; others stand by. Two at once do no harm.
    std::function<bool()> active = [] { return true; };
    std::function<void(std::string const&)> note{};  ///< A line for the operator; must not throw.
};

struct redis_writer_stats {
    eventlog::position position = 0;  ///< Redis is as the table was at this position, as last seen.
    std::uint64_t steps = 0, counters = 0, refills = 0, failures = 0;
};

/// Redis holds absolute values, each step is a compare-and-set on the guard, and what changed since a guard's
/// position is a query of the table. So whatever Redis lost (FLUSHALL, a restart from an old snapshot) is
/// copied again, nothing is counted twice, and nothing has to be kept between two steps.
class redis_writer {
public:
    /// Both must outlive it. Starts its thread.
    redis_writer(read_store& store, redis::client& to, redis_writer_options const& how);
    ~redis_writer();  ///< Stops.
    redis_writer(redis_writer const&) = delete;
    redis_writer& operator=(redis_writer const&) = delete;

    /// The projection has committed. Does not block.
    void wake();
    void stop();
    [[nodiscard]] redis_writer_stats stats() const;

private:
    using clock = std::chrono::steady_clock;
    /// One snapshot of the table: where it is, and what changed since a position.
    struct table_state {
        counter_history history;
        eventlog::position position = 0;
        std::vector<counter_row> rows;
    };

    void run();
    void follow();
    [[nodiscard]] bool step(redis::connection& on);
    [[nodiscard]] bool compare_and_set(redis::connection& on, redis_guard const& to,
                                       std::vector<counter_row> const& rows);
    void begin_again(redis::connection& on, counter_history const& history);
    void sweep(redis::connection& on);
    [[nodiscard]] table_state read_table(eventlog::position after);
    void sleep_for(std::chrono::milliseconds time);

    read_store& store_;
    redis::client& redis_;
    redis_writer_options options_;
    std::string known_guard_;      ///< As Redis has it, as far as is known; compared on each step.
    bool guard_is_known_ = false;  ///< False: ask first.
    clock::time_point next_check_{}, next_sweep_{};
    std::optional<eventlog::position> sweep_after_;  ///< Set while a sweep is under way.

    std::atomic<eventlog::position> position_{0};
    std::atomic<std::uint64_t> steps_{0}, counters_{0}, refills_{0}, failures_{0};
    std::mutex mutex_;
    std::condition_variable changed_;
    bool woken_ = false, stopping_ = false;
    std::thread thread_;
};

}  // namespace linkledger::projections::realtime
