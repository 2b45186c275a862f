#pragma once
// linkledger as an HTTP service: what `serve` composes from the log, the commands and the read models.

#include "api/probe.h"
#include "api/rate_limits.h"
#include "api/server.h"
#include "commands/command_bus.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace linkledger::eventlog {
class committer;
class event_log;
class keyring;
}  // namespace linkledger::eventlog

namespace linkledger::eventlog::merkle {
class published_log;
}

namespace linkledger::projections {
class read_store;
class rebuild_manager;
class runner;
}  // namespace linkledger::projections

namespace linkledger::projections::realtime {
class redis_reader;
}

namespace linkledger::api {

struct application_options {
    std::string listen = "127.0.0.1:8080";  ///< `address:port`, `[::1]:8080`; port 0: any free one.
    std::string public_url = "http://127.0.0.1:8080";
    std::string version = "0.1.0";
    unsigned threads = 0;                        ///< Of the server; see server_options.
    std::vector<std::string> trusted_proxies{};  ///< Addresses and CIDR ranges.
    commands::keep_ip keep_ip = commands::keep_ip::none;
    bool log_requests = false;      ///< A log line per request, at level info.
    unsigned blocking_threads = 4;  ///< For reads of the read models and of the log.
    std::size_t blocking_queue_max = 1'024;
    std::size_t streams_max = 256;                   ///< Live and NDJSON streams of events at a time.
    std::chrono::milliseconds stream_check{15'000};  ///< Between looks whether a stream's key is still good.
    rate_limit_options rates{};
    server_options limits{};  ///< `address`, `port` and `threads` come from above.
};

/// What it stands on. References outlive the application.
struct services {
    eventlog::event_log& log;
    eventlog::committer& committer;
    eventlog::keyring& keys;
    commands::command_bus& bus;
    projections::read_store& reads;
    projections::runner* runner = nullptr;                  ///< None: projections run in other processes.
    eventlog::merkle::published_log* tree = nullptr;        ///< None: /log is not served.
    projections::realtime::redis_reader* counts = nullptr;  ///< None: counters come from their table.
    redis::client* redis = nullptr;                         ///< None: limits count in this process alone.
    std::vector<probe> probes{};                            ///< What else there is to tell of.
    projections::rebuild_manager* rebuilds = nullptr;       ///< None: this process rebuilds nothing.
    /// Links are followed while the log is away. True of the function: it is away now, so that nobody asks it
    /// who is about to answer a probe.
    std::function<bool()> follows_without_log{};
    /// Whether there is room for their clicks; none: there is none.
    std::function<bool()> takes_clicks_without_log{};
    /// Makes a signed note of a receipt's text; none: receipts are not given.
    std::function<std::string(std::string const&)> sign{};
};

class application {
public:
    /// Throws std::invalid_argument for a listen address or a proxy range that cannot be used. Registers
    /// committer::on_commit, so make it before the first command.
    application(application_options const& options, services const& on);
    ~application();

    /// Binds and serves on threads of its own. Throws std::runtime_error when the address cannot be had.
    void start();
    [[nodiscard]] std::uint16_t port() const;

    /// Accepts no more and finishes what is in flight; true when nothing had to be cut off. Blocks.
    bool stop(std::chrono::milliseconds patience);

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace linkledger::api
