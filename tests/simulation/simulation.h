#pragma once
// A whole linkledger under a seed: processes, stores, clients and clocks, one step at a time on one thread,
// with faults at the ports. The same seed gives the same run.

#include "tests/projections/read_models.h"
#include "tests/simulation/committer_gate.h"

#include <cstdint>
#include <optional>
#include <string>

namespace linkledger::simulation {

struct report {
    std::optional<std::string> broken;  ///< The rule that did not hold, and where; none: all of them did.
    std::uint64_t trace = 0;            ///< A hash of what happened: equal for equal seeds.
    std::size_t steps = 0, answered = 0, faults = 0, crashes = 0;
};

/// Read models that are used again from one run to the next: a run's log is another one, so they start over.
struct stage {
    test::read_models live{sql::dialect::sqlite};
    test::read_models rebuilt{sql::dialect::sqlite};

    stage() {
        // The rows that say which versions answer reads.
        static_cast<void>(live.live("links"));
        static_cast<void>(rebuilt.live("links"));
    }
};

[[nodiscard]] report simulate(std::uint64_t seed, stage& on, canary bug = canary::none);

}  // namespace linkledger::simulation
