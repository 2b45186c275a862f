#pragma once
// Copies the real-time counters from the projection's committed table to a counter store, a step at a time
// and without a thread or a clock.

#include "projections/read_store.h"
#include "projections/realtime/counter_store.h"
#include "projections/realtime/redis_guard.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace linkledger::projections::realtime {

struct counter_copier_options {
    std::size_t rows_per_step = 1'000;  ///< 3 at least: a position may have two rows.
    /// Between looks at the guard while nothing moves: how soon a flushed store is noticed.
    std::chrono::milliseconds check_pause{500};
    /// Between copies of all counters that are open, whatever the guard says: mends what was evicted, and
    /// late clicks that were parked.
    std::chrono::minutes sweep_pause{10};
    std::function<void(std::string const&)> note{};  ///< A line for the operator; must not throw.
};

struct counter_copier_stats {
    eventlog::position position = 0;  ///< The store is as the table was at this position, as last seen.
    std::uint64_t steps = 0, counters = 0, refills = 0;
};

/// The store holds absolute values, each step is a compare-and-set on the guard, and what changed since a
/// guard's position is a query of the table. So whatever the store lost (FLUSHALL, a restart from an old
/// snapshot) is copied again, nothing is counted twice, and nothing has to be kept between two steps. Not
/// thread-safe, but for `stats`; any number of copiers may work on one store.
class counter_copier {
public:
    using clock = std::chrono::steady_clock;
    /// Both must outlive it.
    counter_copier(read_store& from, counter_store& to, counter_copier_options const& how);

    /// True: there is more to do at once. False: nothing until the table has moved or `check_pause` is over,
    /// but for a sweep, which wants to go on soon. `time` is the wall's, for windows that have ended. Throws
    /// redis::error and sql::error: `forget`, and try again later.
    [[nodiscard]] bool step(clock::time_point now, domain::timestamp time);
    /// What is known of the store holds no more.
    void forget() { guard_is_known_ = false; }
    /// The next sweep is due at once.
    void sweep_soon() { next_sweep_ = {}; }
    /// A copy of all open counters is under way.
    [[nodiscard]] bool is_sweeping() const { return sweep_after_.has_value(); }
    /// From any thread.
    [[nodiscard]] counter_copier_stats stats() const { return {position_, steps_, counters_, refills_}; }

private:
    /// One snapshot of the table: where it is, and what changed since a position.
    struct table_state {
        counter_history history;
        eventlog::position position = 0;
        std::vector<counter_row> rows;
    };

    [[nodiscard]] bool follow();
    [[nodiscard]] bool compare_and_set(redis_guard const& to, std::vector<counter_row> const& rows);
    void begin_again(counter_history const& history);
    void sweep(domain::timestamp time);
    [[nodiscard]] table_state read_table(eventlog::position after);

    read_store& from_;
    counter_store& to_;
    counter_copier_options options_;
    std::string known_guard_;      ///< As the store has it, as far as is known; compared on each step.
    bool guard_is_known_ = false;  ///< False: ask first.
    clock::time_point next_check_{}, next_sweep_{};
    std::optional<eventlog::position> sweep_after_;  ///< Set while a sweep is under way.
    std::atomic<eventlog::position> position_{0};
    std::atomic<std::uint64_t> steps_{0}, counters_{0}, refills_{0};
};

}  // namespace linkledger::projections::realtime
