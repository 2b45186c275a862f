#pragma once
// A whole linkledger under a seed: processes, stores, clients and clocks, one step at a time on one thread,
// with faults at the ports. The same seed gives the same run.

#include "tests/projections/read_models.h"
#include "tests/simulation/committer_gate.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace linkledger::simulation {

struct report {
    std::optional<std::string> broken;  ///< The rule that did not hold, and where; none: all of them did.
    std::uint64_t trace = 0;            ///< A hash of what happened: equal for equal seeds.
    std::size_t steps = 0, answered = 0, faults = 0, crashes = 0;
    std::uint64_t mirrored = 0;              ///< Events that projections got from the mirror.
    std::uint64_t repairs = 0, refills = 0;  ///< Mirrors made anew, and counters filled anew.
};

/// Read models that are used again from one run to the next: a run's log is another one, so they start over.
struct stage {
    test::read_models live{sql::dialect::sqlite};
    test::read_models rebuilt{sql::dialect::sqlite};

    /// Which versions answer reads; here that never changes.
    std::map<std::string, projections::build_id> builds;

    stage() {
        static_cast<void>(rebuilt.live("links"));  // Makes the rows that say so.
        for (auto const& name : projections::projection_names()) {
            builds[name] = live.live(name);
            for (auto* models : {&live, &rebuilt}) kept_open_.push_back(models->open(name));
        }
    }

private:
    /// As long as somebody has a file open, it keeps its write-ahead log when others open and close it.
    std::vector<std::unique_ptr<sql::connection>> kept_open_;
};

[[nodiscard]] report simulate(std::uint64_t seed, stage& on, canary bug = canary::none);

}  // namespace linkledger::simulation
