#pragma once
// Who waits for which projection to be where: read-your-writes, without a thread per waiter.

#include "eventlog/event_log.h"
#include "projections/read_store.h"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace linkledger::projections {

/// Safe to call from any thread. Positions of projections that run here are told by `reached`; those of
/// others are looked up in their checkpoints, while someone waits. `done` is called outside of any lock.
class progress_board {
public:
    progress_board(read_store& store, std::vector<std::string> const& names,
                   std::chrono::milliseconds poll_pause, std::function<void()> on_waiter);
    ~progress_board();
    progress_board(progress_board const&) = delete;
    progress_board& operator=(progress_board const&) = delete;

    /// Whether `reached` tells of this projection from now on.
    void set_local(std::string const& name, bool local);
    /// `set_local(name, false)`, without a position that may be that of another version.
    void forget_local(std::string const& name);
    void reached(std::string const& name, eventlog::position position);

    void when_at(std::string const& name, eventlog::position position, std::chrono::milliseconds deadline,
                 std::function<void(bool)> done);

    /// Whether someone waits for one of these projections that runs here.
    [[nodiscard]] bool anyone_waits_here(std::vector<std::string> const& names);
    [[nodiscard]] bool is_local(std::string const& name);

    /// Waiters, present and future, get false.
    void stop();

private:
    using clock = std::chrono::steady_clock;
    struct waiter {
        std::string name;
        eventlog::position position = 0;
        clock::time_point deadline;
        std::function<void(bool)> done;
    };
    struct place {
        bool local = false;
        eventlog::position position = 0;
        std::set<std::pair<eventlog::position, std::uint64_t>> waiting;
    };
    using finished = std::vector<std::function<void(bool)>>;

    void run();
    void poll(std::unique_lock<std::mutex>& lock);
    [[nodiscard]] finished take_reached(place& at);
    [[nodiscard]] finished take_expired(clock::time_point now);
    void forget(std::uint64_t id);

    read_store& store_;
    std::chrono::milliseconds poll_pause_;
    std::function<void()> on_waiter_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, place> places_;
    std::map<std::uint64_t, waiter> waiters_;
    std::set<std::pair<clock::time_point, std::uint64_t>> by_deadline_;
    std::uint64_t last_id_ = 0;
    bool stopped_ = false;
    std::thread thread_;
};

}  // namespace linkledger::projections
