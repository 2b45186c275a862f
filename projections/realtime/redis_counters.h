#pragma once
// Real-time counters in Redis: a count and a window's beginning per counter, which expire with the window.

#include "eventlog/redis/client.h"
#include "projections/realtime/counter_store.h"

namespace linkledger::projections::realtime {

/// Safe to call from any thread. Blocks for a call's timeout at most, per call to Redis.
class redis_counters final : public counter_store {
public:
    /// `to` must outlive it.
    explicit redis_counters(redis::client& to) : redis_(to) {}

    [[nodiscard]] bool up() const override { return redis_.up(); }
    [[nodiscard]] std::string guard() override;
    [[nodiscard]] std::string compare_and_set(std::string const& expected, std::string const& to,
                                              std::span<counter_row const> rows) override;
    void drop_all(std::string const& expected) override;

private:
    redis::client& redis_;
};

}  // namespace linkledger::projections::realtime
