#pragma once
// Something beside log and projections that /readyz and /metrics tell of: the mirror, a cache.

#include <functional>
#include <string>
#include <vector>

namespace linkledger::api {

struct probe_state {
    bool up = true;      ///< Down makes /readyz say `degraded`.
    std::string detail;  ///< A few words for a person.
};

struct probe_sample {
    std::string name;  ///< As Prometheus shows it; a counter's ends in `_total`.
    std::string help;
    bool is_counter = false;
    double value = 0;
};

/// Called from any thread; neither may block for long.
struct probe {
    std::string name;
    std::function<probe_state()> state;
    std::function<std::vector<probe_sample>()> samples;
};

}  // namespace linkledger::api
