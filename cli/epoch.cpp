// `linkledger epoch`: what an operator says after a restore or a failover that lost events.

#include "cli/composition.h"
#include "cli/subcommand.h"

#include <fmt/format.h>

#include <cstdio>

namespace linkledger::cli {

namespace {

void print(eventlog::log_head const& head) {
    fmt::print("log {} epoch {} at position {}\n", domain::to_string(head.log_id), head.epoch, head.last);
}

int show() {
    auto const log = open_log(read_configuration(process_environment));
    print(value_or_fail(log.log->head(), "the log cannot be read"));
    return succeeded;
}

int raise() {
    auto const log = open_log(read_configuration(process_environment));
    print(value_or_fail(log.log->raise_epoch(), "the epoch cannot be raised"));
    fmt::print(
        stderr,
        "Read models, the mirror and the counters in Redis are made anew from this log, and its heads are "
        "signed under another origin.\n");
    return succeeded;
}

}  // namespace

void add_epoch(subcommand& to) {
    auto command = to.add_subcommand(
        "epoch", "Say that the log lost events, in a restore or a failover; everything derived starts over");
    command.require_subcommand();
    command.add_subcommand("show", "Show the log's id, epoch and head").runs([] { return show(); });
    command
        .add_subcommand(
            "raise",
            "Begin another history from what the log holds now. Once after each restore of a backup, "
            "and after each failover to a server that had not got everything")
        .runs([] { return raise(); });
}

}  // namespace linkledger::cli
