// `linkledger parked`: events that a projection could not apply; tries them again, or gives them up.

#include "cli/composition.h"
#include "cli/subcommand.h"
#include "cli/terminal.h"
#include "projections/builds.h"
#include "projections/checkpoint.h"
#include "projections/registry.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>

namespace linkledger::cli {

namespace {

using eventlog::position;

struct parked_options {
    std::string projection;
    position at = 0;
    bool as_json = false;
};

/// Each version that is fed of the projection that is meant, or of all; or wrong usage.
std::vector<projections::build_row> chosen_builds(projections::read_store& store, std::string const& name) {
    auto const known = projections::projection_names();
    if (!name.empty() && std::find(known.begin(), known.end(), name) == known.end())
        throw configuration_error{fmt::format("there is no projection {}", name)};
    projections::adopt_builds(store, projections::create_all());
    auto const control = store.open_control();
    auto all = projections::load_builds(*control);
    std::erase_if(all, [&](projections::build_row const& each) {
        using projections::build_state;
        return (!name.empty() && each.name != name) || each.state == build_state::building ||
               each.state == build_state::dropping;
    });
    return all;
}

int list(parked_options const& options) {
    auto const from = read_configuration(process_environment);
    set_up_tool_logging(from);
    auto const store = open_read_store(from);
    boost::json::array items;
    std::vector<std::vector<std::string>> rows;
    for (auto const& each : chosen_builds(*store, options.projection)) {
        auto const& name = each.name;
        store->read_build(name, each.build, [&](projections::snapshot const& seen) {
            for (auto const& event : projections::load_parked(seen.rows, name, each.build.version)) {
                items.push_back(boost::json::object{{"projection", name},
                                                    {"version", each.build.version},
                                                    {"position", event.position},
                                                    {"type", event.type},
                                                    {"subject", event.subject},
                                                    {"attempts", event.attempts},
                                                    {"error", event.error}});
                rows.push_back({name, std::to_string(event.position), event.type, event.subject,
                                std::to_string(event.attempts), event.error});
            }
        });
    }
    if (options.as_json)
        fmt::print("{}\n", boost::json::serialize(items));
    else if (rows.empty())
        fmt::print("no event is parked\n");
    else
        fmt::print("{}", table({"projection", "position", "type", "subject", "tries", "error"}, rows));
    return succeeded;
}

/// Changes rows of parked events; whoever runs the projection sees it within a second or two.
int change(parked_options const& options, projections::parked_change what, std::string const& done) {
    auto const from = read_configuration(process_environment);
    set_up_tool_logging(from);
    auto const store = open_read_store(from);
    std::int64_t changed = 0;
    for (auto const& each : chosen_builds(*store, options.projection)) {
        auto const writer = store->open_writer(each.name, each.build);
        changed += projections::change_parked(*writer, each.name, each.build.version, options.at, what);
    }
    if (changed == 0 && options.at != 0)
        throw command_failed{"no such event is parked; see linkledger parked list"};
    fmt::print("{} parked {} {}\n", changed, changed == 1 ? "event" : "events", done);
    return succeeded;
}

}  // namespace

void add_parked(subcommand& to) {
    auto command = to.add_subcommand("parked", "Look after events that a projection could not apply");
    command.require_subcommand();
    auto const options = std::make_shared<parked_options>();

    auto listing = command.add_subcommand("list", "Show them, with their errors");
    listing.add_option("--projection", options->projection, "Of one projection (all)");
    listing.add_flag("--json", options->as_json, "As a JSON array");
    listing.runs([options] { return list(*options); });

    auto retrying =
        command.add_subcommand("retry", "Have them tried again now, rather than with the next minute");
    retrying.add_option("--projection", options->projection, "Of one projection (all)");
    retrying.add_option("--position", options->at, "One event (all)").positive();
    retrying.runs(
        [options] { return change(*options, projections::parked_change::retry, "will be tried again"); });

    auto skipping = command.add_subcommand(
        "skip",
        "Give up an event: the read model stays without it. Later ones of its aggregate are tried then");
    skipping.add_option("--projection", options->projection, "The projection").required();
    skipping.add_option("--position", options->at, "The event").required().positive();
    skipping.runs([options] { return change(*options, projections::parked_change::skip, "given up"); });
}

}  // namespace linkledger::cli
