// What operators and tools ask: liveness, readiness, metrics, projections, the reference.

#include "api/exchange.h"
#include "api/handlers.h"
#include "api/json_text.h"
#include "api/metrics.h"
#include "api/wire_types.h"
#include "eventlog/committer.h"
#include "eventlog/json_reflect.h"
#include "projections/runner.h"

namespace linkledger::api {

namespace {

using projections::projection_status;

/// Older knowledge of the log than this makes redirects of changed links doubtful.
constexpr std::chrono::seconds tail_age_max{5};

/// A database that stands still would hold up for many seconds whoever asks it.
[[nodiscard]] bool is_log_away(services const& on) {
    return on.follows_without_log && on.follows_without_log();
}

[[nodiscard]] awaitable<bool> ask_runner(exchange& x, projection_list& into) {
    if (x.shared.on.runner == nullptr || is_log_away(x.shared.on)) co_return true;
    std::function<void()> ask = [&] {
        into.items = x.shared.on.runner->status();
        into.rebuilds = x.shared.on.runner->rebuilds();
    };
    co_return co_await run_off_thread(x, std::move(ask));
}

[[nodiscard]] json::bj::object dependency_of(std::string_view name, bool up, std::string_view detail) {
    return {{"name", name}, {"status", up ? "up" : "down"}, {"detail", detail}};
}

[[nodiscard]] bool is_well(projection_status const& one) {
    return one.state != projections::projection_state::retrying &&
           one.state != projections::projection_state::stopped && one.parked == 0;
}

}  // namespace

awaitable<void> list_projections(exchange& x) {
    if (is_log_away(x.shared.on)) {
        send(x.to, problem_of(eventlog::failure{eventlog::failure_code::unavailable, "the log is away"}));
        co_return;
    }
    projection_list all;
    if (!co_await ask_runner(x, all)) co_return;
    x.answer_json(to_json_text(all));
}

awaitable<void> healthz(exchange& x) {
    x.answer_json(R"({"status":"ok"})");
    co_return;
}

/// 200 while the log answers, or links are followed without it (`degraded` says what does not work),
/// otherwise 503.
awaitable<void> readyz(exchange& x) {
    auto const& on = x.shared.on;
    std::vector<projection_status> all;
    bool log_answers = false;
    std::function<void()> ask = [&] {
        if (is_log_away(on)) return;
        log_answers = on.log.head().has_value();
        if (on.runner != nullptr) all = on.runner->status();
    };
    if (!co_await run_off_thread(x, std::move(ask))) co_return;
    auto const bus = on.bus.stats();
    bool const commits = on.committer.stats().store_available;
    bool const tail_is_fresh = bus.since_log_contact <= tail_age_max;
    json::bj::array dependencies{dependency_of("log", log_answers, on.log.backend()),
                                 dependency_of("committer", commits, "group commit"),
                                 dependency_of("tail", tail_is_fresh, "in-memory tables of links and keys")};
    bool well = commits && tail_is_fresh;
    for (auto const& each : all) {
        auto one =
            dependency_of("projection " + each.name, is_well(each), json::detail::enum_name(each.state));
        one["lag_events"] = each.lag_events;
        one["parked"] = each.parked;
        well = well && is_well(each);
        dependencies.push_back(std::move(one));
    }
    for (auto const& each : on.probes) {
        auto const now = each.state();
        well = well && now.up;
        dependencies.push_back(dependency_of(each.name, now.up, now.detail));
    }
    bool const is_of_use = log_answers || (on.takes_clicks_without_log && on.takes_clicks_without_log());
    json::bj::object const answer{{"status", !is_of_use            ? "unavailable"
                                             : well && log_answers ? "ready"
                                                                   : "degraded"},
                                  {"dependencies", std::move(dependencies)}};
    x.answer_json(json::bj::serialize(answer));
    if (is_of_use) co_return;
    x.to.status = 503;
    x.to.add_header("Retry-After", "1");
}

awaitable<void> get_metrics(exchange& x) {
    projection_list all;
    if (!co_await ask_runner(x, all)) co_return;
    auto text = x.shared.metrics.text(x.shared.on, x.shared.server_stats(), all.items, x.shared.streams,
                                      all.rebuilds);
    x.answer_json(std::move(text));
}

awaitable<void> get_openapi(exchange& x) {
    x.answer_json(openapi_document(x.shared));
    co_return;
}

awaitable<void> get_docs(exchange& x) {
    x.to.add_header("Content-Type", "text/html; charset=utf-8");
    x.to.add_header("Cache-Control", "no-cache");
    x.to.add_header("X-Content-Type-Options", "nosniff");
    x.to.add_header("Referrer-Policy", "no-referrer");
    x.to.add_header("Content-Security-Policy",
                    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
                    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
                    "frame-ancestors 'none'");
    x.to.body = docs_page();
    co_return;
}

}  // namespace linkledger::api
