#pragma once
// A start while PostgreSQL is away: links that an earlier process knew are followed, their clicks spooled;
// everything else waits.

#include "api/application.h"
#include "cli/composition.h"
#include "cli/configuration.h"

#include <memory>
#include <string>

namespace linkledger::cli {

/// None: the database answers. Otherwise why it cannot be reached. Takes a few seconds at most.
[[nodiscard]] std::optional<std::string> why_unreachable(configuration const& from);

/// Serves from its construction on. Stop it before the real server starts: they share the address.
class cold_server {
public:
    /// Throws command_failed where there is nothing to serve from. `spool` must outlive it.
    cold_server(configuration const& from, api::application_options const& options, eventlog::spool& spool,
                std::string const& why);

    /// True when nothing had to be cut off.
    bool stop(std::chrono::milliseconds patience);

private:
    log_side log_;
    std::unique_ptr<projections::read_store> reads_;
    write_side writes_;
    std::unique_ptr<api::application> application_;
};

}  // namespace linkledger::cli
