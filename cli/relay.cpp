// `linkledger relay`: mirrors the log to JetStream until a signal ends it.

#include "api/logging.h"
#include "cli/composition.h"
#include "cli/process_server.h"
#include "cli/signals.h"
#include "cli/subcommand.h"

#include <fmt/format.h>

#include <cstdio>

namespace linkledger::cli {

namespace {

int run_relay() {
    auto const from = read_configuration(process_environment);
    if (from.nats_url.empty()) throw configuration_error{"NATS_URL: needed to mirror the log; see --help"};
    api::set_up_logging(from.log_level, from.log_format);
    auto const log = open_log(from);
    auto const relay = open_relay(from, log);
    process_server const http{from, nullptr, {probe_of(*relay)}};
    relay->start();
    fmt::print("linkledger {} relays {} to {}\n", LINKLEDGER_VERSION, describe_backend(from),
               redact_url(from.nats_url));
    std::fflush(stdout);
    return run_until_signal([&] {
        relay->stop();
        return true;
    });
}

}  // namespace

void add_relay(subcommand& to) {
    auto command = to.add_subcommand("relay", "Mirror the log to NATS JetStream");
    command.footer(
        "Needs NATS_URL. Any number may run at once, beside those that `serve` runs; one publishes, the "
        "others "
        "stand by.\nWith LISTEN set it answers /metrics, /readyz and /healthz.");
    command.runs(run_relay);
}

}  // namespace linkledger::cli
