#pragma once
// A history of links and clicks, made up from a seed: the data set that benchmarks run on.

#include "cli/composition.h"

#include <cstdint>
#include <functional>

namespace linkledger::cli {

struct generate_options {
    std::uint64_t seed = 1;
    std::int64_t events = 5'000'000;  ///< In all, links included.
    std::int64_t links = 100'000;
    std::int64_t visitors = 1'000'000;
    int days = 30;
    double edits = 0.05;           ///< Share of all events that change a link.
    double other_commands = 0.01;  ///< Share that disable, enable, delete and restore links.
    double skew = 1.0;             ///< Of Zipf's distribution of clicks over links.
    std::string workspace = "bench";
};

/// Writes through the log's append port, in large batches, on behalf of the first admin (made when the log is
/// empty). The same options make the same links, clicks and times; ids of keys and what is sealed under them
/// are new each time. `told` hears of the number of events. Throws command_failed.
void generate_events(configuration const& from, generate_options const& options,
                     std::function<void(std::uint64_t)> const& told);

}  // namespace linkledger::cli
