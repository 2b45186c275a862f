#pragma once
// Keeps the real-time counters in Redis as the projection's committed table is.

#include "projections/realtime/counter_copier.h"
#include "projections/realtime/redis_counters.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

namespace linkledger::projections::realtime {

struct redis_writer_options {
    counter_copier_options copying{};
    std::chrono::milliseconds retry_pause_min{50};
    std::chrono::milliseconds retry_pause_max{2'000};
    /// Whether this process runs the projection; others stand by. Two at once do no harm.
    std::function<bool()> active = [] { return true; };
};

struct redis_writer_stats {
    counter_copier_stats copied;
    std::uint64_t failures = 0;
};

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
    void run();
    [[nodiscard]] bool rest();
    void follow();
    void sleep_for(std::chrono::milliseconds time);

    redis::client& redis_;
    redis_writer_options options_;
    redis_counters counters_;
    counter_copier copier_;

    std::atomic<std::uint64_t> failures_{0};
    std::mutex mutex_;
    std::condition_variable changed_;
    bool woken_ = false, stopping_ = false;
    std::thread thread_;
};

}  // namespace linkledger::projections::realtime
