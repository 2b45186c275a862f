#pragma once
// Redis as a process sees it: a few connections that are kept, and whether it is there.

#include "eventlog/redis/connection.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace linkledger::redis {

struct client_options {
    redis::options connect;
    std::size_t idle_max = 8;                      ///< Connections that are kept.
    std::chrono::milliseconds check_pause{1'000};  ///< Between looks whether Redis answers.
    /// Told when Redis goes away and when it is back; must not throw.
    std::function<void(bool up, std::string const& text)> note{};
};

struct client_stats {
    bool up = false;
    std::uint64_t calls = 0, failures = 0;
    std::string problem;  ///< Of the last failure, while Redis is away.
};

/// Safe to call from any thread. While Redis is away nobody waits for it: calls fail at once, and a thread
/// finds out when it is back.
class client {
public:
    explicit client(client_options const& how);
    ~client();
    client(client const&) = delete;
    client& operator=(client const&) = delete;

    /// Lends a connection. Throws redis::error, and what `work` throws. Blocks for a call's timeout at most,
    /// per call that `work` makes.
    void run(std::function<void(connection&)> const& work);
    [[nodiscard]] bool up() const { return up_.load(std::memory_order_acquire); }
    [[nodiscard]] client_stats stats() const;
    [[nodiscard]] address const& where() const { return options_.connect.where; }

private:
    void watch();
    void note_up();
    void note_down(std::string const& why);
    [[nodiscard]] std::unique_ptr<connection> take();
    void give_back(std::unique_ptr<connection> one);

    client_options options_;
    std::atomic<bool> up_{false};
    std::atomic<std::uint64_t> calls_{0}, failures_{0};
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::unique_ptr<connection>> idle_;
    std::string problem_;
    bool told_up_ = false, told_down_ = false, stopping_ = false;
    std::thread watcher_;
};

}  // namespace linkledger::redis
