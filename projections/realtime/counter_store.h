#pragma once
// The port to where real-time counters are copied. `redis_counters` is the one over the network.

#include "projections/realtime/realtime_queries.h"

#include <span>
#include <string>

namespace linkledger::projections::realtime {

/// Counters, and a guard that says what they are (redis_guard.h): text, empty where there is none. Calls may
/// throw redis::error, and one that threw may have done its work. The store may lose or bring back
/// anything at any time, as long as the guard and what was set with it are lost or brought back together; it
/// may drop single counters.
class counter_store {
public:
    virtual ~counter_store() = default;
    [[nodiscard]] virtual bool up() const = 0;
    [[nodiscard]] virtual std::string guard() = 0;
    /// In one step, and only while the guard is `expected`: sets counters (and drops those whose window has
    /// ended) and the guard. Gives the guard as it is afterwards.
    [[nodiscard]] virtual std::string compare_and_set(std::string const& expected, std::string const& to,
                                                      std::span<counter_row const> rows) = 0;
    /// Drops all counters, in pieces, each while the guard is `expected`.
    virtual void drop_all(std::string const& expected) = 0;
};

}  // namespace linkledger::projections::realtime
