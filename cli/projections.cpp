// `linkledger projections`: how far each read model is, from its checkpoint.

#include "cli/composition.h"
#include "cli/subcommand.h"
#include "cli/terminal.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <boost/describe/enum_to_string.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <thread>

namespace linkledger::cli {

namespace {

struct projections_options {
    bool as_json = false;
    bool watch = false;
};

/// This process runs nothing, so whether a projection is at the head is all that its state can say.
std::string state_of(projections::projection_status const& one) {
    if (one.last_error) return "unreadable";
    if (!one.live) return one.lag_events == 0 ? "fed" : "fed, behind";
    return one.lag_events == 0 ? "live" : "behind";
}

std::string as_json(std::vector<projections::projection_status> const& all) {
    boost::json::array items;
    for (auto const& one : all) {
        boost::json::object item{{"name", one.name},
                                 {"version", one.version},
                                 {"build", one.build},
                                 {"live", one.live},
                                 {"position", one.position},
                                 {"head", one.head},
                                 {"lag_events", one.lag_events},
                                 {"lag_seconds", one.lag_seconds},
                                 {"parked", one.parked},
                                 {"state", state_of(one)},
                                 {"last_error", nullptr}};
        if (one.last_error) item["last_error"] = *one.last_error;
        items.push_back(std::move(item));
    }
    return boost::json::serialize(items);
}

std::string as_table(std::vector<projections::projection_status> const& all) {
    std::vector<std::vector<std::string>> rows;
    for (auto const& one : all) {
        rows.push_back({one.name, to_string(projections::build_id{one.version, one.build}),
                        grouped(static_cast<std::uint64_t>(one.position)),
                        grouped(static_cast<std::uint64_t>(one.head)),
                        grouped(static_cast<std::uint64_t>(one.lag_events)),
                        fmt::format("{:.1f}", one.lag_seconds), std::to_string(one.parked), state_of(one)});
    }
    return table({"name", "version", "position", "head", "lag", "lag s", "parked", "state"}, rows);
}

int show(projections_options const& options) {
    auto const from = read_configuration(process_environment);
    set_up_tool_logging(from);
    auto const log = open_log(from);
    projections::runner_options follow_only;
    follow_only.run = false;
    auto const reads = open_read_side(from, log, follow_only, nullptr);
    bool first = true;
    do {
        auto const all = reads.runner->status();
        if (options.watch && !options.as_json && is_terminal(stdout)) fmt::print("\x1b[H\x1b[J");
        if (!first && !is_terminal(stdout) && !options.as_json) fmt::print("\n");
        fmt::print("{}", options.as_json ? as_json(all) + "\n" : as_table(all));
        std::fflush(stdout);
        first = false;
        if (options.watch) std::this_thread::sleep_for(std::chrono::seconds{1});
    } while (options.watch && std::ferror(stdout) == 0);
    return succeeded;
}

}  // namespace

void add_projections(subcommand& to) {
    auto command = to.add_subcommand("projections", "Show how far each read model is behind the log");
    auto const options = std::make_shared<projections_options>();
    command.add_flag("--json", options->as_json, "As a JSON array (with --watch: one per line)");
    command.add_flag("--watch", options->watch, "Again every second, until interrupted");
    command.runs([options] { return show(*options); });
}

}  // namespace linkledger::cli
