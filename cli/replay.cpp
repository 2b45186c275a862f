// `linkledger replay`: all read models as they were, in one SQLite file that any SQL tool opens.

#include "projections/replay.h"
#include "cli/composition.h"
#include "cli/subcommand.h"
#include "cli/terminal.h"
#include "projections/moments.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <thread>

namespace linkledger::cli {

namespace {

struct replay_arguments {
    std::string until;
    std::string into;
};

/// A time becomes the last position that was recorded by then.
eventlog::position position_of(std::string const& text, eventlog::event_log& log) {
    auto const moment = projections::parse_moment(text);
    if (!moment)
        throw command_failed{fmt::format(
            "--until \"{}\" is neither a position nor an RFC 3339 time like 2026-03-03T00:00:00Z", text)};
    if (auto const* at = std::get_if<eventlog::position>(&*moment)) return *at;
    return value_or_fail(projections::position_at(log, std::get<domain::timestamp>(*moment)),
                         "the log cannot be read");
}

std::string newest_checkpoint(configuration const& from, eventlog::event_log& log) {
    auto const store = open_tree_store(from);
    eventlog::merkle::published_log tree{log, *store};
    auto const head = value_or_fail(tree.head(), "the signed log cannot be read");
    return head ? head->checkpoint : std::string{};
}

int replay(replay_arguments const& given) {
    auto const from = read_configuration(process_environment);
    set_up_tool_logging(from);
    auto const log = open_log(from);
    projections::replay_options options;
    options.until = position_of(given.until, *log.log);
    options.into = given.into;
    options.asked = given.until;
    options.program = LINKLEDGER_VERSION;
    options.checkpoint = newest_checkpoint(from, *log.log);
    options.readers = bulk_readers_of(from, bulk_reading::mapped);
    options.jobs = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 8u));
    progress shown{stderr, "Replaying", "events", static_cast<std::uint64_t>(options.until)};
    options.progress = [&](eventlog::position done, eventlog::position already) {
        shown.update(static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(already));
    };
    auto const done = value_or_fail(projections::replay(*log.log, *log.keys, options),
                                    "the read models could not be replayed");
    shown.finish();
    fmt::print("{} holds {} rows: all read models at position {}\n", given.into,
               grouped(static_cast<std::uint64_t>(done.rows)),
               grouped(static_cast<std::uint64_t>(options.until)));
    if (done.parked > 0)
        fmt::print(stderr, "{} events could not be applied; see the table parked_events.\n", done.parked);
    return succeeded;
}

}  // namespace

void add_replay(subcommand& to) {
    auto command =
        to.add_subcommand("replay", "All read models as they were, in one SQLite file for any SQL tool");
    auto const given = std::make_shared<replay_arguments>();
    command.add_option("--until", given->until, "A position, or a time as in 2026-03-03T00:00:00Z")
        .required();
    command.add_option("--into", given->into, "The file, as in march.db; must not exist yet").required();
    command.footer(
        "Reads the log alone, whatever the live read models hold. Interrupted, even by kill -9, it goes on "
        "when "
        "it is\nstarted again with the same file and position; work in progress is in FILE.unfinished beside "
        "the file.\nThe table `replay` says which log, up to where, and the signed head then. Erased persons "
        "and click details\nare not in it; delete such files when someone is erased later.");
    command.runs([given] { return replay(*given); });
}

}  // namespace linkledger::cli
