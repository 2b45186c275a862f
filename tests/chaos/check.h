#pragma once
// What was acknowledged against what is there, once everything is quiet: the log, the mirror, the read
// models.

#include "tests/chaos/cluster.h"
#include "tests/chaos/load.h"

#include <cstdint>
#include <string>
#include <vector>

namespace linkledger::chaos {

struct verdict {
    std::int64_t events = 0;     ///< In the log.
    std::int64_t clicks = 0;     ///< Of them.
    std::int64_t gaps = 0;       ///< Positions that do not follow the one before.
    std::int64_t missing = 0;    ///< Acknowledged and not in the log.
    std::int64_t misplaced = 0;  ///< Acknowledged at another position than it has.
    std::int64_t twice = 0;      ///< In the log more often than once.
    std::int64_t mirror_missing = 0;
    std::int64_t mirror_differences = 0;  ///< 1 where the mirror and the log differ; then comparing ends.
    std::int64_t rows = 0;                ///< Of all read models.
    std::int64_t row_differences = 0;     ///< From those of a build from position 0.
    std::int64_t fold_differences = 0;    ///< From an independent fold of the log.
    std::int64_t counters = 0;            ///< Real-time ones in Redis.
    std::int64_t counter_differences = 0;
    std::int64_t unsettled = 0;  ///< What did not reach the log's head in time.
    std::chrono::steady_clock::time_point settled_at{};
    std::vector<std::string> details{};  ///< The first ones, for a person.

    [[nodiscard]] bool sound() const {
        return gaps + missing + misplaced + twice + mirror_missing + mirror_differences + row_differences +
                   fold_differences + counter_differences + unsettled ==
               0;
    }
};

/// Waits for mirror and read models to reach the log's head (`patience` at most), then compares. Throws where
/// the log or the servers cannot be read at all.
[[nodiscard]] verdict check(cluster& of, std::vector<acknowledged> const& answers,
                            std::chrono::seconds patience);

}  // namespace linkledger::chaos
