#pragma once
// Reads real-time counters from Redis.

#include "eventlog/redis/client.h"
#include "projections/realtime/realtime_queries.h"

#include <functional>
#include <optional>

namespace linkledger::projections::realtime {

/// A count, and the position of the log that it reflects.
struct placed_count {
    eventlog::position position = 0;
    realtime_count count;
};

/// Safe to call from any thread.
class redis_reader {
public:
    /// `from` must outlive it. Counters of another log than `head` is of, or of an earlier epoch, are no
    /// answer.
    redis_reader(redis::client& from, eventlog::log_head const& head)
        : redis_(from), log_id_(head.log_id), epoch_(head.epoch) {}

    /// None when Redis has no open window of it, is away, was flushed, is being filled or is of another log:
    /// ask the table. Blocks, for a call's timeout at most.
    [[nodiscard]] std::optional<placed_count> find(domain::uuid const& id, bool is_link);

private:
    redis::client& redis_;
    domain::uuid log_id_;
    std::int64_t epoch_;
};

}  // namespace linkledger::projections::realtime
