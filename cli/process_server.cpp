#include "cli/process_server.h"

#include "api/metrics.h"
#include "api/server.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <spdlog/spdlog.h>

namespace linkledger::cli {

namespace {

namespace asio = boost::asio;

/// What blocks runs on a thread of its own, so that liveness answers meanwhile.
asio::awaitable<std::string> run_on(asio::thread_pool& threads, std::function<std::string()> const& work) {
    auto const here = [&work]() -> asio::awaitable<std::string> { co_return work(); };
    co_return co_await asio::co_spawn(threads, here, asio::use_awaitable);
}

}  // namespace

struct process_server::state final : api::request_handler {
    state(configuration const& from, projections::runner* of, std::vector<api::probe> all)
        : runner(of), probes(std::move(all)), http(options_of(from), *this) {}
    ~state() override {
        http.drain(std::chrono::seconds{1});
        blocking.join();
    }

    static api::server_options options_of(configuration const& from) {
        api::server_options made;
        made.address = from.listen_host;
        made.port = from.listen_port;
        made.threads = 1;
        made.connections_max = 64;
        return made;
    }

    [[nodiscard]] std::vector<projections::projection_status> projections() const {
        return runner == nullptr ? std::vector<projections::projection_status>{} : runner->status();
    }
    [[nodiscard]] std::vector<projections::rebuild_status> rebuilds() const {
        return runner == nullptr ? std::vector<projections::rebuild_status>{} : runner->rebuilds();
    }
    [[nodiscard]] std::string readiness() const;

    api::awaitable<void> handle(api::request const& from, api::response& to) override {
        std::function<std::string()> work;
        if (from.path == "/healthz") work = [] { return std::string{R"({"status":"ok"})"}; };
        if (from.path == "/readyz") work = [this] { return readiness(); };
        if (from.path == "/metrics")
            work = [this] { return api::process_metrics(projections(), probes, rebuilds()); };
        if (!work || from.verb == api::method::post || from.verb == api::method::other) {
            to.status = work ? 405 : 404;
            co_return;
        }
        bool const is_text = from.path == "/metrics";
        to.add_header("Content-Type",
                      is_text ? "text/plain; version=0.0.4; charset=utf-8" : "application/json");
        to.body = co_await run_on(blocking, work);
    }
    [[nodiscard]] std::size_t body_bytes_max(api::request const&) const override { return 0; }

    projections::runner* runner;
    std::vector<api::probe> probes;
    asio::thread_pool blocking{1};
    api::server http;
};

/// A process that works through events has nobody to turn away: it says `degraded`, and how.
std::string process_server::state::readiness() const {
    namespace json = boost::json;
    json::array dependencies;
    bool well = true;
    for (auto const& each : probes) {
        auto const now = each.state();
        well = well && now.up;
        dependencies.push_back(
            json::object{{"name", each.name}, {"status", now.up ? "up" : "down"}, {"detail", now.detail}});
    }
    for (auto const& each : projections()) {
        bool const up = each.state != projections::projection_state::retrying && each.parked == 0;
        well = well && up;
        dependencies.push_back(json::object{{"name", "projection " + each.name},
                                            {"status", up ? "up" : "down"},
                                            {"lag_events", each.lag_events},
                                            {"parked", each.parked}});
    }
    json::object const answer{{"status", well ? "ready" : "degraded"},
                              {"dependencies", std::move(dependencies)}};
    return json::serialize(answer);
}

process_server::process_server(configuration const& from, projections::runner* runner,
                               std::vector<api::probe> probes) {
    if (!from.listen_given) return;
    state_ = std::make_unique<state>(from, runner, std::move(probes));
    state_->http.start();
    spdlog::info("/metrics, /readyz and /healthz on {} port {}", from.listen_host, state_->http.port());
}

process_server::~process_server() = default;

}  // namespace linkledger::cli
