// The one executable: finds the subcommand, runs it, turns what goes wrong into a line and an exit code.

#include "cli/configuration.h"
#include "cli/subcommand.h"
#include "eventlog/sql/connection.h"
#include "migrations/migrator.h"

#include <fmt/format.h>

#include <cstdio>

namespace {

using namespace linkledger;

constexpr void (*subcommands[])(CLI::App&, cli::work&) = {
    cli::add_serve,  cli::add_projector,   cli::add_relay,  cli::add_migrate, cli::add_import,
    cli::add_events, cli::add_projections, cli::add_parked, cli::add_mirror,  cli::add_keys,
    cli::add_audit,  cli::add_erase,       cli::add_replay, cli::add_rebuild, cli::add_bench,
};

std::string environment_help() {
    std::string text = "Environment (each has a line in .env.example):\n";
    for (auto const& about : cli::known_variables()) {
        text += fmt::format("  {:<22} {}{}\n", about.name, about.meaning,
                            about.fallback.empty() ? "" : fmt::format(" ({})", about.fallback));
    }
    return text;
}

int report(std::exception const& problem) {
    fmt::print(stderr, "linkledger: {}\n", problem.what());
    return cli::failed;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"linkledger: short links on an event log. `linkledger serve` starts the server.",
                 "linkledger"};
    app.require_subcommand(1);
    app.set_version_flag("--version", "linkledger " LINKLEDGER_VERSION);
    // What subcommands inherit that have no footer of their own; the long list stands here alone.
    app.footer("Settings come from the environment; linkledger --help lists them.");
    cli::work chosen;
    for (auto const add : subcommands) add(app, chosen);
    app.footer(environment_help());

    try {
        app.parse(argc, argv);
    } catch (CLI::ParseError const& error) {
        // The parser misses a subcommand first, and does not say what stood in its place.
        std::string_view const first = argc > 1 ? argv[1] : "";
        auto const is_first = [&](CLI::App const* each) { return each->get_name() == first; };
        if (!first.empty() && !first.starts_with('-') && app.get_subcommands(is_first).empty()) {
            fmt::print(stderr, "linkledger: there is no subcommand \"{}\"; linkledger --help lists them.\n",
                       first);
            return cli::wrong_usage;
        }
        // Help and version are answers; everything else is wrong usage.
        return app.exit(error) == 0 ? cli::succeeded : cli::wrong_usage;
    }
    try {
        return chosen();
    } catch (cli::configuration_error const& problem) {
        report(problem);
        return cli::wrong_usage;
    } catch (std::exception const& problem) {
        return report(problem);
    }
}
