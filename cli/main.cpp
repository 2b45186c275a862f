// The one executable: finds the subcommand, runs it, turns what goes wrong into a line and an exit code.

#include "cli/configuration.h"
#include "cli/subcommand.h"
#include "eventlog/sql/connection.h"
#include "migrations/migrator.h"

#include <fmt/format.h>

#include <cstdio>

namespace {

using namespace linkledger;

constexpr void (*subcommands[])(cli::subcommand&) = {
    cli::add_serve,  cli::add_projector, cli::add_relay,       cli::add_migrate,
    cli::add_import, cli::add_events,    cli::add_projections, cli::add_parked,
    cli::add_mirror, cli::add_keys,      cli::add_audit,       cli::add_erase,
    cli::add_replay, cli::add_rebuild,   cli::add_epoch,       cli::add_bench,
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
    cli::command_line line;
    line.name = "linkledger";
    line.about = "linkledger: short links on an event log. `linkledger serve` starts the server.";
    line.version = "linkledger " LINKLEDGER_VERSION;
    line.footer = environment_help();
    line.fill = [](cli::subcommand& root) {
        root.require_subcommand();
        // What subcommands inherit that have no footer of their own; the long list stands below the main
        // help.
        root.footer("Settings come from the environment; linkledger --help lists them.");
        for (auto const add : subcommands) add(root);
    };
    try {
        return cli::run(line, argc, argv);
    } catch (cli::configuration_error const& problem) {
        report(problem);
        return cli::wrong_usage;
    } catch (std::exception const& problem) {
        return report(problem);
    }
}
