#pragma once
// HTTP of processes that serve no API: /healthz, /readyz and /metrics, where LISTEN is set.

#include "api/probe.h"
#include "cli/configuration.h"
#include "projections/runner.h"

#include <memory>
#include <vector>

namespace linkledger::cli {

/// Serves from construction to destruction.
class process_server {
public:
    /// Listens only where LISTEN is set. `runner` may be null. What is referred to must outlive it. Throws
    /// std::runtime_error when the address cannot be had.
    process_server(configuration const& from, projections::runner* runner, std::vector<api::probe> probes);
    ~process_server();
    process_server(process_server const&) = delete;
    process_server& operator=(process_server const&) = delete;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace linkledger::cli
