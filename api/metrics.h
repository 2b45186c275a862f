#pragma once
// What an operator's dashboard shows, in Prometheus's text format.

#include "api/application.h"
#include "api/endpoints.h"
#include "projections/runner.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace linkledger::api {

/// Safe to call from any thread.
class metrics {
public:
    metrics();
    ~metrics();

    /// `to` is null for the redirect, the one that has no line in the table, and for unknown paths `known` is
    /// false.
    void count_request(endpoint const* to, bool known, int status, std::chrono::nanoseconds took);
    void count_commit(std::chrono::microseconds took, std::size_t appends);

    /// Everything that is known now. `projections` as the runner tells; `server` as the server does.
    [[nodiscard]] std::string text(services const& on, server_stats const& server,
                                   std::vector<projections::projection_status> const& projections,
                                   std::size_t streams,
                                   std::vector<projections::rebuild_status> const& rebuilds) const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

/// The same of a process that serves no requests: projections, probes, the process itself.
[[nodiscard]] std::string process_metrics(std::vector<projections::projection_status> const& projections,
                                          std::vector<probe> const& probes,
                                          std::vector<projections::rebuild_status> const& rebuilds);

}  // namespace linkledger::api
