#pragma once
// Reads the log ahead of whoever works through it, on a thread of its own.

#include "eventlog/mirror/relay_steps.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

namespace linkledger::eventlog::mirror {

/// From `after` on; at the log's end it waits for more.
class read_ahead final : public page_source {
public:
    read_ahead(event_log& log, position after, std::size_t page_events);
    ~read_ahead() override;
    read_ahead(read_ahead const&) = delete;
    read_ahead& operator=(read_ahead const&) = delete;

    [[nodiscard]] std::optional<result<std::vector<recorded_event>>> next(
        std::chrono::milliseconds patience) override;

private:
    void run(position after);
    /// Waits for room; false: stop.
    bool put(result<std::vector<recorded_event>> page);

    event_log& log_;
    std::size_t page_events_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<result<std::vector<recorded_event>>> pages_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace linkledger::eventlog::mirror
