#pragma once
// What ends a long-running subcommand in order.

#include <functional>

namespace linkledger::cli {

/// Blocks until SIGINT or SIGTERM, then calls `stop`, which says whether nothing had to be cut off; a second
/// signal ends the process at once. Returns the exit code.
int run_until_signal(std::function<bool()> const& stop);

}  // namespace linkledger::cli
