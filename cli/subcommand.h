#pragma once
// What a subcommand is: a function that adds it to the command line and says what to run when it is chosen.

#include "cli/command_line.h"

#include <stdexcept>

namespace linkledger::cli {

/// Exit codes of every subcommand.
enum exit_code { succeeded = 0, failed = 1, wrong_usage = 2 };

/// What a subcommand could not do, in words for a person; printed without more.
class command_failed : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// One function per file; main.cpp has the table.
void add_serve(subcommand& to);
void add_migrate(subcommand& to);
void add_projections(subcommand& to);
void add_events(subcommand& to);
void add_keys(subcommand& to);
void add_import(subcommand& to);
void add_audit(subcommand& to);
void add_erase(subcommand& to);
void add_replay(subcommand& to);
void add_relay(subcommand& to);
void add_mirror(subcommand& to);
void add_projector(subcommand& to);
void add_parked(subcommand& to);
void add_epoch(subcommand& to);
void add_rebuild(subcommand& to);
void add_bench(subcommand& to);

}  // namespace linkledger::cli
