#pragma once
// Reading connections that are lent out and kept.

#include "eventlog/sql/connection.h"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace linkledger::projections {

/// Safe to call from any thread.
class reader_pool {
public:
    using opener = std::function<std::unique_ptr<sql::connection>()>;

    reader_pool(opener open, std::size_t connections_max)
        : open_(std::move(open)), connections_max_(connections_max) {}

    /// Runs `work` in a read transaction of a connection that no one else uses meanwhile. A connection that
    /// turns out to be broken before the transaction began is replaced once. Throws sql::error: `timeout`
    /// when none came free for five seconds.
    void read(std::function<void(sql::connection&)> const& work);

private:
    class loan;
    [[nodiscard]] std::unique_ptr<sql::connection> take();
    void give_back(std::unique_ptr<sql::connection> connection) noexcept;
    void forget_idle();

    opener open_;
    std::size_t connections_max_;
    std::mutex mutex_;
    std::condition_variable freed_;
    std::vector<std::unique_ptr<sql::connection>> idle_;
    std::size_t lent_ = 0;
};

}  // namespace linkledger::projections
