// `linkledger bench`: what measurements need of the executable itself.

#include "cli/generate.h"
#include "cli/subcommand.h"
#include "cli/terminal.h"

#include <fmt/format.h>

#include <cstdio>
#include <memory>

namespace linkledger::cli {

namespace {

int generate(generate_options const& options) {
    auto const from = read_configuration(process_environment);
    set_up_tool_logging(from);
    {
        progress bar{stderr, "generate", "events", static_cast<std::uint64_t>(options.events)};
        generate_events(from, options, [&](std::uint64_t events) { bar.update(events); });
    }
    fmt::print("{} events are in {}\n", grouped(static_cast<std::uint64_t>(options.events)),
               describe_backend(from));
    return succeeded;
}

}  // namespace

void add_bench(subcommand& to) {
    auto bench = to.add_subcommand("bench", "Make data for measurements");
    bench.require_subcommand();
    auto make = bench.add_subcommand("generate", "Write a made-up history of links and clicks into the log");
    auto const options = std::make_shared<generate_options>();
    make.add_option("--events", options->events, "How many in all (5000000)").positive();
    make.add_option("--links", options->links, "Of them, links created at the start (100000)").positive();
    make.add_option("--visitors", options->visitors, "Who click (1000000)").positive();
    make.add_option("--days", options->days, "Up to today (30)").within(1, 3650);
    make.add_option("--edits", options->edits, "Share of events that change a link (0.05)").within(0.0, 1.0);
    make.add_option("--other", options->other_commands, "Share that disable, delete and so on (0.01)")
        .within(0.0, 1.0);
    make.add_option("--skew", options->skew, "Exponent of Zipf's distribution of clicks over links (1.0)");
    make.add_option("--seed", options->seed, "The same seed makes the same history (1)");
    make.add_option("--workspace", options->workspace, "Slug; made when it is not there (bench)");
    make.footer(
        "For an empty log of its own: it writes past the checks of commands, as fast as the store takes it.");
    make.runs([options] { return generate(*options); });
}

}  // namespace linkledger::cli
