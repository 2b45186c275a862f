// Counters of our own for requests (a few relaxed additions each), prometheus-cpp's for the rest.

#include "api/metrics.h"

#include "eventlog/committer.h"

#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>

#include <array>
#include <atomic>
#include <cctype>
#include <fstream>
#include <sstream>

namespace linkledger::api {

namespace {

constexpr std::array statuses{200, 302, 400, 401, 403, 404, 405, 406, 409,
                              410, 412, 413, 415, 422, 500, 503, 504, 0};
constexpr std::array buckets_s{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                               0.1,    0.25,  0.5,    1.0,   2.5,  5.0};

[[nodiscard]] std::size_t status_index(int status) {
    std::size_t i = 0;
    while (i + 1 < statuses.size() && statuses[i] != status) ++i;
    return i;
}

struct request_counters {
    std::array<std::atomic<std::uint64_t>, statuses.size()> by_status{};
    std::array<std::atomic<std::uint64_t>, buckets_s.size() + 1> by_duration{};
    std::atomic<std::uint64_t> nanoseconds{0};
};

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using families = std::vector<MetricFamily>;
using labels = std::vector<ClientMetric::Label>;

[[nodiscard]] ClientMetric metric_of(MetricType type, double number, labels const& with = {}) {
    ClientMetric metric;
    metric.label = with;
    if (type == MetricType::Counter)
        metric.counter.value = number;
    else
        metric.gauge.value = number;
    return metric;
}

void add(families& to, MetricType type, std::string name, std::string help, double number) {
    to.push_back({std::move(name), std::move(help), type, {metric_of(type, number)}});
}

template <typename T>
void counter(families& to, std::string name, std::string help, T number) {
    add(to, MetricType::Counter, std::move(name), std::move(help), static_cast<double>(number));
}
template <typename T>
void gauge(families& to, std::string name, std::string help, T number) {
    add(to, MetricType::Gauge, std::move(name), std::move(help), static_cast<double>(number));
}

void add_bus(families& to, commands::bus_stats const& bus) {
    counter(to, "linkledger_link_cache_hits_total", "Redirects whose link was at hand.", bus.link_cache_hits);
    counter(to, "linkledger_link_cache_misses_total", "Redirects whose link had to be read from the log.",
            bus.link_cache_misses);
    gauge(to, "linkledger_link_cache_links", "Links at hand.", bus.link_cache_size);
    counter(to, "linkledger_clicks_lost_total",
            "Clicks whose redirect was answered before a commit that then failed (CLICK_ACK=queued).",
            bus.lost_when_queued);
    gauge(to, "linkledger_tail_position", "Position that this process knows the log up to.",
          bus.tail_position);
    gauge(to, "linkledger_tail_age_seconds", "Age of that knowledge.",
          std::chrono::duration<double>(bus.since_log_contact).count());
}

void add_committer(families& to, eventlog::committer_stats const& now) {
    counter(to, "linkledger_commit_batches_total", "Batches committed.", now.batches);
    counter(to, "linkledger_commit_appends_total", "Appends in them.", now.appends);
    counter(to, "linkledger_commit_events_total", "Events in them.", now.events);
    counter(to, "linkledger_commit_resent_total", "Batches sent again after an unknown outcome.", now.resent);
    counter(to, "linkledger_commit_refused_full_total", "Appends refused because the queue was full.",
            now.refused_full);
    gauge(to, "linkledger_commit_queue_appends", "Appends that wait.", now.queued);
    gauge(to, "linkledger_store_available", "1 while the log's store can be reached.",
          now.store_available ? 1 : 0);
}

void add_server(families& to, server_stats const& now, std::size_t streams) {
    gauge(to, "linkledger_http_connections", "Open connections.", now.connections);
    counter(to, "linkledger_http_connections_accepted_total", "Connections accepted.", now.accepted);
    counter(to, "linkledger_http_connections_refused_total", "Connections over a limit.", now.refused);
    gauge(to, "linkledger_http_event_streams", "Live and NDJSON streams of events.", streams);
}

using projections::projection_status;

/// A family with a metric per projection, whose number `read` gives.
template <typename Read>
void per_projection(families& to, MetricType type, std::string name, std::string help,
                    std::vector<projection_status> const& all, Read read) {
    MetricFamily family{std::move(name), std::move(help), type, {}};
    for (auto const& each : all)
        family.metric.push_back(
            metric_of(type, static_cast<double>(read(each)),
                      {{"projection", each.name},
                       {"version", to_string(projections::build_id{each.version, each.build})}}));
    to.push_back(std::move(family));
}

[[nodiscard]] bool is_applied_here(projection_status const& which) {
    using projections::projection_state;
    return which.state == projection_state::catching_up || which.state == projection_state::live;
}

void add_projections(families& to, std::vector<projection_status> const& all) {
    if (all.empty()) return;
    auto const g = MetricType::Gauge, c = MetricType::Counter;
    per_projection(to, g, "linkledger_projection_position", "Position that the read model reflects.", all,
                   [](auto const& p) { return p.position; });
    per_projection(to, g, "linkledger_projection_lag_events", "Events behind the head.", all,
                   [](auto const& p) { return p.lag_events; });
    per_projection(to, g, "linkledger_projection_lag_seconds", "Age of the oldest event not applied.", all,
                   [](auto const& p) { return p.lag_seconds; });
    per_projection(to, g, "linkledger_projection_parked_events", "Events that could not be applied.", all,
                   [](auto const& p) { return p.parked; });
    per_projection(to, c, "linkledger_projection_events_total", "Events applied by this process.", all,
                   [](auto const& p) { return p.events; });
    per_projection(to, c, "linkledger_projection_batches_total", "Batches that they were applied in.", all,
                   [](auto const& p) { return p.batches; });
    per_projection(to, c, "linkledger_projection_failures_total", "Batches that failed and were retried.",
                   all, [](auto const& p) { return p.failures; });
    per_projection(to, c, "linkledger_projection_apply_seconds_total", "Time spent on applying them.", all,
                   [](auto const& p) { return p.apply_seconds; });
    per_projection(to, g, "linkledger_projection_active", "1 in the process that applies it.", all,
                   [](auto const& p) { return is_applied_here(p) ? 1 : 0; });
}

/// A probe's name is for people, a metric's has letters, digits and `_` alone.
[[nodiscard]] std::string metric_word(std::string name) {
    for (char& c : name)
        if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
    return name;
}

/// The figures of /v1/projections. A rebuild that is over has no rate and no time left.
void add_rebuilds(families& to, std::vector<projections::rebuild_status> const& all) {
    if (all.empty()) return;
    auto const family = [&](std::string name, std::string help, auto read) {
        MetricFamily made{std::move(name), std::move(help), MetricType::Gauge, {}};
        for (auto const& each : all) {
            std::optional<double> const number = read(each);
            if (!number) continue;
            made.metric.push_back(
                metric_of(MetricType::Gauge, *number,
                          {{"projection", each.name},
                           {"version", to_string(projections::build_id{each.version, each.build})}}));
        }
        to.push_back(std::move(made));
    };
    using status = projections::rebuild_status;
    using number = std::optional<double>;
    family("linkledger_rebuild_running", "1 while a process rebuilds it.",
           [](status const& s) { return number{s.running ? 1.0 : 0.0}; });
    family("linkledger_rebuild_phase",
           "0 building, 1 catching up, 2 comparing, 3 switching, 4 done, 5 failed.",
           [](status const& s) { return number{static_cast<double>(s.phase)}; });
    family("linkledger_rebuild_position", "Events done.",
           [](status const& s) { return number{static_cast<double>(s.position)}; });
    family("linkledger_rebuild_target_position", "Events to be done.",
           [](status const& s) { return number{static_cast<double>(s.target)}; });
    family("linkledger_rebuild_events_per_second", "Rate of the phase so far.",
           [](status const& s) { return number{s.running ? static_cast<double>(s.rate) : 0.0}; });
    family("linkledger_rebuild_eta_seconds", "Time left of the phase, where it is known.",
           [](status const& s) {
               return s.running && s.eta_ms ? number{static_cast<double>(*s.eta_ms) / 1000} : number{};
           });
    family("linkledger_rebuild_stalled_seconds", "For how long nothing has moved.",
           [](status const& s) { return number{static_cast<double>(s.stalled_ms) / 1000}; });
    family("linkledger_rebuild_disk_bytes", "Of the new tables, at most so far.",
           [](status const& s) { return number{static_cast<double>(s.disk_bytes)}; });
    family("linkledger_rebuild_differences", "Tables that differ from the live ones.",
           [](status const& s) { return number{static_cast<double>(s.differences.size())}; });
}

void add_probes(families& to, std::vector<probe> const& all) {
    for (auto const& each : all) {
        bool const up = !each.state || each.state().up;
        to.push_back({"linkledger_" + metric_word(each.name) + "_up",
                      "1 while it can be reached.",
                      MetricType::Gauge,
                      {metric_of(MetricType::Gauge, up ? 1 : 0)}});
        if (!each.samples) continue;
        for (auto const& sample : each.samples())
            add(to, sample.is_counter ? MetricType::Counter : MetricType::Gauge, sample.name, sample.help,
                sample.value);
    }
}

/// A line of /proc/self/status, in bytes.
[[nodiscard]] double status_bytes(std::string const& name) {
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with(name + ":")) return std::stod(line.substr(name.size() + 1)) * 1024;
    return 0;
}

void add_process(families& to) {
    gauge(to, "process_resident_memory_bytes", "Memory in use.", status_bytes("VmRSS"));
    gauge(to, "process_resident_memory_max_bytes", "The most there was.", status_bytes("VmHWM"));
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    auto const seconds = [](timeval const& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    counter(to, "process_cpu_seconds_total", "Processor time.",
            seconds(used.ru_utime) + seconds(used.ru_stime));
}

[[nodiscard]] ClientMetric histogram(request_counters const& of, labels const& with) {
    ClientMetric metric;
    metric.label = with;
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < buckets_s.size(); ++i) {
        total += of.by_duration[i].load(std::memory_order_relaxed);
        metric.histogram.bucket.push_back({total, buckets_s[i]});
    }
    total += of.by_duration.back().load(std::memory_order_relaxed);
    metric.histogram.sample_count = total;
    metric.histogram.sample_sum = static_cast<double>(of.nanoseconds.load(std::memory_order_relaxed)) / 1e9;
    metric.histogram.bucket.push_back({total, std::numeric_limits<double>::infinity()});
    return metric;
}

}  // namespace

struct metrics::state {
    /// The table's endpoints, then the redirect, then unknown paths.
    std::vector<request_counters> requests = std::vector<request_counters>(endpoints().size() + 2);
    prometheus::Registry registry;
    prometheus::Histogram& commit_duration =
        prometheus::BuildHistogram()
            .Name("linkledger_commit_duration_seconds")
            .Help("From the batch's first byte sent to its acknowledgement.")
            .Register(registry)
            .Add({}, prometheus::Histogram::BucketBoundaries{0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                                             0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5});
    prometheus::Histogram& commit_appends =
        prometheus::BuildHistogram()
            .Name("linkledger_commit_batch_appends")
            .Help("Appends that shared a commit.")
            .Register(registry)
            .Add({}, prometheus::Histogram::BucketBoundaries{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024});

    [[nodiscard]] labels labels_of(std::size_t index) const {
        auto const all = endpoints();
        if (index == all.size()) return {{"method", "GET"}, {"endpoint", "/{short_code}"}};
        if (index > all.size()) return {{"method", "any"}, {"endpoint", "unknown"}};
        return {{"method", std::string{method_text(all[index].verb)}},
                {"endpoint", std::string{all[index].path}}};
    }
    void add_requests(families& to) const;
};

metrics::metrics() : state_(std::make_unique<state>()) {}
metrics::~metrics() = default;

void metrics::count_request(endpoint const* to, bool known, int status, std::chrono::nanoseconds took) {
    auto const all = endpoints();
    auto const index =
        to != nullptr ? static_cast<std::size_t>(to - all.data()) : all.size() + (known ? 0 : 1);
    auto& counters = state_->requests[index];
    counters.by_status[status_index(status)].fetch_add(1, std::memory_order_relaxed);
    auto const seconds = std::chrono::duration<double>(took).count();
    std::size_t bucket = 0;
    while (bucket < buckets_s.size() && seconds > buckets_s[bucket]) ++bucket;
    counters.by_duration[bucket].fetch_add(1, std::memory_order_relaxed);
    counters.nanoseconds.fetch_add(static_cast<std::uint64_t>(took.count()), std::memory_order_relaxed);
}

void metrics::count_commit(std::chrono::microseconds took, std::size_t appends) {
    state_->commit_duration.Observe(std::chrono::duration<double>(took).count());
    state_->commit_appends.Observe(static_cast<double>(appends));
}

void metrics::state::add_requests(families& to) const {
    MetricFamily counts{"linkledger_http_requests_total", "Requests answered.", MetricType::Counter, {}};
    MetricFamily durations{"linkledger_http_request_duration_seconds",
                           "From a request's last byte read to its answer ready.",
                           MetricType::Histogram,
                           {}};
    for (std::size_t i = 0; i < requests.size(); ++i) {
        auto const with = labels_of(i);
        bool any = false;
        for (std::size_t s = 0; s < statuses.size(); ++s) {
            auto const count = requests[i].by_status[s].load(std::memory_order_relaxed);
            if (count == 0) continue;
            any = true;
            auto labelled = with;
            labelled.push_back({"status", statuses[s] == 0 ? "other" : std::to_string(statuses[s])});
            counts.metric.push_back(metric_of(MetricType::Counter, static_cast<double>(count), labelled));
        }
        if (any) durations.metric.push_back(histogram(requests[i], with));
    }
    to.push_back(std::move(counts));
    to.push_back(std::move(durations));
}

std::string metrics::text(services const& on, server_stats const& server,
                          std::vector<projection_status> const& projections, std::size_t streams,
                          std::vector<projections::rebuild_status> const& rebuilds) const {
    auto all = state_->registry.Collect();
    state_->add_requests(all);
    add_committer(all, on.committer.stats());
    add_bus(all, on.bus.stats());
    add_server(all, server, streams);
    add_projections(all, projections);
    add_rebuilds(all, rebuilds);
    add_probes(all, on.probes);
    add_process(all);
    return prometheus::TextSerializer{}.Serialize(all);
}

std::string process_metrics(std::vector<projection_status> const& projections,
                            std::vector<probe> const& probes,
                            std::vector<projections::rebuild_status> const& rebuilds) {
    families all;
    add_projections(all, projections);
    add_rebuilds(all, rebuilds);
    add_probes(all, probes);
    add_process(all);
    return prometheus::TextSerializer{}.Serialize(all);
}

}  // namespace linkledger::api
