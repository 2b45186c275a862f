#pragma once
// What a subcommand is: a function that adds it to the command line and says what to run when it is chosen.

#include <CLI/CLI.hpp>

#include <functional>
#include <stdexcept>

namespace linkledger::cli {

/// Exit codes of every subcommand.
enum exit_code { succeeded = 0, failed = 1, wrong_usage = 2 };

/// The chosen subcommand's work; returns an exit code. Exceptions become a line on standard error and 1.
using work = std::function<int()>;

/// What a subcommand could not do, in words for a person; printed without more.
class command_failed : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// One function per file; main.cpp has the table.
void add_serve(CLI::App& to, work& chosen);
void add_migrate(CLI::App& to, work& chosen);
void add_projections(CLI::App& to, work& chosen);
void add_events(CLI::App& to, work& chosen);
void add_keys(CLI::App& to, work& chosen);
void add_import(CLI::App& to, work& chosen);
void add_audit(CLI::App& to, work& chosen);
void add_erase(CLI::App& to, work& chosen);
void add_replay(CLI::App& to, work& chosen);
void add_relay(CLI::App& to, work& chosen);
void add_mirror(CLI::App& to, work& chosen);
void add_projector(CLI::App& to, work& chosen);
void add_parked(CLI::App& to, work& chosen);
void add_rebuild(CLI::App& to, work& chosen);
void add_bench(CLI::App& to, work& chosen);

}  // namespace linkledger::cli
