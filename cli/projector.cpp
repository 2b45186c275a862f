// `linkledger projector`: projections as a process of their own, fed by the mirror, or by the log without
// one.

#include "api/logging.h"
#include "cli/composition.h"
#include "cli/process_server.h"
#include "cli/signals.h"
#include "cli/subcommand.h"
#include "projections/mirror_source.h"
#include "projections/registry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <memory>

namespace linkledger::cli {

namespace {

struct projector_options {
    std::vector<std::string> only;
    bool no_migrate = false;
};

void check_names(std::vector<std::string> const& wanted) {
    auto const known = projections::projection_names();
    for (auto const& each : wanted) {
        if (std::find(known.begin(), known.end(), each) == known.end())
            throw configuration_error{
                fmt::format("--only: there is no projection {}; there are {}", each, fmt::join(known, ", "))};
    }
}

/// `of` must outlive it.
api::probe source_probe_of(projections::mirror_source const& of) {
    api::probe made;
    made.name = "mirror";
    made.state = [&of] {
        auto const now = of.stats();
        // Without an event so far there is nothing to complain of.
        bool const up = now.on_mirror || now.reason.empty();
        return api::probe_state{up,
                                now.on_mirror ? "events come from the mirror" : "events come from the log"};
    };
    made.samples = [&of] {
        auto const now = of.stats();
        return std::vector<api::probe_sample>{
            {"linkledger_source_on_mirror", "1 while events come from the mirror, 0 while from the log.",
             false, now.on_mirror ? 1.0 : 0.0},
            {"linkledger_source_mirror_events_total", "Events read from the mirror.", true,
             static_cast<double>(now.mirror_events)},
            {"linkledger_source_log_events_total", "Events read from the log.", true,
             static_cast<double>(now.log_events)},
            {"linkledger_source_fallbacks_total", "Times that the log was turned to.", true,
             static_cast<double>(now.fallbacks)}};
    };
    return made;
}

int run_projector(projector_options const& options) {
    check_names(options.only);
    auto const from = read_configuration(process_environment);
    api::set_up_logging(from.log_level, from.log_format);
    make_data_folder(from);
    if (!options.no_migrate) migrate_up(from);
    auto const log = open_log(from);
    projections::runner_options running;
    running.only = options.only;
    std::unique_ptr<projections::event_source> source;
    std::vector<api::probe> probes;
    if (!from.nats_url.empty()) {
        projections::mirror_source_options mirror;
        mirror.nats = nats_options_of(from, "linkledger projector");
        auto made = projections::create_mirror_source(*log.log, mirror);
        probes.push_back(source_probe_of(*made));
        source = std::move(made);
    }
    auto const redis = open_redis(from);
    auto reads = open_read_side(from, log, running, redis.get(), std::move(source));
    if (redis) probes.push_back(probe_of(*redis));
    if (reads.counters) probes.push_back(probe_of(*reads.counters));
    process_server const http{from, reads.runner.get(), probes};
    reads.runner->start();
    fmt::print("linkledger {} projects {} of {}, fed by {}\n", LINKLEDGER_VERSION,
               fmt::join(options.only.empty() ? projections::projection_names() : options.only, ", "),
               describe_backend(from), from.nats_url.empty() ? "the log" : redact_url(from.nats_url));
    std::fflush(stdout);
    return run_until_signal([&] {
        reads.stop();
        return true;
    });
}

}  // namespace

void add_projector(subcommand& to) {
    auto command = to.add_subcommand("projector", "Run projections as a process of their own");
    auto const options = std::make_shared<projector_options>();
    command.add_option("--only", options->only, "These projections, as in accounts,links (all)")
        .separated_by_commas();
    command.add_flag("--no-migrate", options->no_migrate, "Leave the schema alone; see linkledger migrate");
    command.footer(
        "Any number may run at once: each projection is run by one of them, and another takes over when that "
        "one goes.\nGive the API processes PROJECTIONS=none. With LISTEN set it answers /metrics, /readyz "
        "and "
        "/healthz.");
    command.runs([options] { return run_projector(*options); });
}

}  // namespace linkledger::cli
