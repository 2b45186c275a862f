#pragma once
// Work in numbered pieces for several threads, and a pace that it keeps.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>

namespace linkledger::projections {

/// One thread's way to its next piece.
class pieces {
public:
    pieces(std::atomic<std::size_t>& next, std::size_t count, std::atomic<bool> const& over)
        : next_(next), count_(count), over_(over) {}
    /// None: all are taken, or it is over.
    [[nodiscard]] std::optional<std::size_t> next() {
        if (over_) return std::nullopt;
        auto const mine = next_.fetch_add(1);
        return mine < count_ ? std::optional{mine} : std::nullopt;
    }

private:
    std::atomic<std::size_t>& next_;
    std::size_t count_;
    std::atomic<bool> const& over_;
};

/// Runs `work` on `threads` threads, which share `count` pieces; returns when all have ended. What one throws
/// ends the others after their piece and is thrown here; `stop` ends all and throws rebuild_interrupted.
void do_pieces(std::size_t count, int threads, std::atomic<bool> const& stop,
               std::function<void(pieces&)> const& work);

/// Sleeps, in steps, until the time is over or `stop`.
void sleep_unless(std::atomic<bool> const& stop, std::chrono::milliseconds time);

/// Holds several threads together to so many events a second. Safe to call from any thread.
class pace {
public:
    explicit pace(std::int64_t rate_max) : rate_max_(rate_max) {}
    /// Sleeps for as long as these events were too fast.
    void spend(std::int64_t events, std::atomic<bool> const& stop);

private:
    using clock = std::chrono::steady_clock;
    std::int64_t rate_max_;
    std::mutex mutex_;
    clock::time_point free_at_ = clock::now();
};

}  // namespace linkledger::projections
