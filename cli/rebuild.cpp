// `linkledger rebuild`, `switch`, `drop`: versions of read models, built beside the live ones.

#include "projections/rebuild/rebuild.h"

#include "cli/composition.h"
#include "cli/subcommand.h"
#include "cli/terminal.h"
#include "projections/rebuild/bulk_build.h"
#include "projections/registry.h"

#include <boost/describe/enum_to_string.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <memory>

namespace linkledger::cli {

namespace {

using projections::rebuild_phase;
using projections::rebuild_status;

std::atomic<bool> interrupted = false;

extern "C" void interrupt(int /*signal*/) {
    interrupted = true;
}

/// The first SIGINT or SIGTERM ends the rebuild in order; it goes on with the next call.
void listen_for_signals() {
    struct sigaction action {};
    action.sa_handler = interrupt;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
}

std::string phase_text(rebuild_phase phase) {
    std::string text = boost::describe::enum_to_string(phase, "");
    for (char& c : text) {
        if (c == '_') c = ' ';
    }
    return text;
}

std::string line_of(rebuild_status const& now, bool terminal) {
    auto const position = static_cast<std::uint64_t>(now.position);
    auto const target = static_cast<std::uint64_t>(now.target);
    auto text = fmt::format("{} v{}  {}", now.name, to_string(projections::build_id{now.version, now.build}),
                            phase_text(now.phase));
    bool const counts = now.phase == rebuild_phase::building || now.phase == rebuild_phase::catching_up;
    if (!counts) return now.error ? text + ": " + *now.error : text;
    if (target > 0) {
        text += terminal ? "  [" + bar(position, target) + "]" : "";
        text += fmt::format("  {} of {} events ({} %)", grouped(position), grouped(target),
                            position * 100 / target);
    }
    if (now.stalled_ms > 0)
        return text + fmt::format(", stalled for {}: {}", readable(std::chrono::milliseconds{now.stalled_ms}),
                                  now.error.value_or("no event was done"));
    text += fmt::format(", {} events/s", grouped(static_cast<std::uint64_t>(now.rate)));
    if (now.eta_ms) text += ", " + readable(std::chrono::milliseconds{*now.eta_ms}) + " left";
    if (now.error) text += " (" + *now.error + ")";
    return text;
}

/// On a terminal one line that is redrawn, elsewhere a line when something changes, and every five seconds.
class display {
public:
    void show(rebuild_status const& now) {
        bool const other_phase = !last_ || last_->phase != now.phase;
        bool const other_mood = last_ && (last_->stalled_ms > 0) != (now.stalled_ms > 0);
        last_ = now;
        if (terminal_) {
            fmt::print(stderr, "{}\r\x1b[K{}", other_phase && drawn_ ? "\n" : "", line_of(now, true));
            drawn_ = true;
        } else if (other_phase || other_mood || clock::now() - shown_at_ >= plain_pause) {
            fmt::print(stderr, "{}\n", line_of(now, false));
            shown_at_ = clock::now();
        }
        std::fflush(stderr);
    }
    void finish() const {
        if (drawn_) fmt::print(stderr, "\n");
    }
    [[nodiscard]] std::int64_t disk_bytes() const { return last_ ? last_->disk_bytes : 0; }

private:
    using clock = std::chrono::steady_clock;
    static constexpr std::chrono::seconds plain_pause{5};

    bool terminal_ = is_terminal(stderr);
    bool drawn_ = false;
    clock::time_point shown_at_{};
    std::optional<rebuild_status> last_;
};

struct command_options {
    projections::rebuild_options rebuild;
    std::string version;
    bool no_switch = false;
    bool no_migrate = false;
    bool json = false;
};

void check_name(std::string const& name) {
    std::string all;
    for (auto const& each : projections::projection_names()) {
        if (each == name) return;
        all += (all.empty() ? "" : ", ") + each;
    }
    throw configuration_error{fmt::format("there is no projection {}; there are {}", name, all)};
}

projections::build_id parse_version(std::string const& text) {
    auto const which = projections::parse_build(text);
    if (!which)
        throw configuration_error{
            fmt::format("\"{}\" is no version; one looks like 2, or 2.3 for its third build", text)};
    return *which;
}

/// Seconds as they were measured; `build_seconds` is without comparing and switching.
void print_json(projections::rebuild_outcome const& made, std::chrono::milliseconds took,
                std::int64_t disk_bytes) {
    auto const build_seconds = std::chrono::duration<double>(made.building).count();
    boost::json::object const shown{
        {"version", to_string(made.made)},
        {"switched", made.switched},
        {"events", made.events},
        {"seconds", static_cast<double>(took.count()) / 1e3},
        {"build_seconds", build_seconds},
        {"events_per_second",
         static_cast<std::int64_t>(static_cast<double>(made.events) / std::max(build_seconds, 1e-3))},
        {"disk_bytes", disk_bytes},
        {"differences", boost::json::value_from(made.differences)}};
    fmt::print("{}\n", boost::json::serialize(shown));
}

int run_rebuild(command_options options) {
    auto& how = options.rebuild;
    check_name(how.name);
    if (!options.version.empty()) how.version = parse_version(options.version).version;
    how.switches = !options.no_switch;
    auto const from = read_configuration(process_environment);
    set_up_tool_logging(from);
    make_data_folder(from);
    if (!options.no_migrate) migrate_up(from);
    auto const log = open_log(from);
    auto const store = open_read_store(from);
    auto const source = projections::create_log_source(*log.log);
    auto const all = projections::create_all();
    listen_for_signals();
    display shown;
    auto const started = std::chrono::steady_clock::now();
    projections::rebuild_outcome made;
    try {
        made = projections::rebuild(
            how, {*source, *log.keys, *store, bulk_readers_of(from, bulk_reading::bounded), all},
            [&](rebuild_status const& now) { shown.show(now); }, interrupted);
    } catch (std::exception const& failed) {
        shown.finish();
        throw command_failed{failed.what()};
    }
    shown.finish();
    auto const took =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started);
    auto const version = to_string(made.made);
    if (options.json) {
        print_json(made, took, shown.disk_bytes());
        return made.switched || options.no_switch ? succeeded : failed;
    }
    for (auto const& each : made.differences) fmt::print("differs from the live version: {}\n", each);
    fmt::print("{} v{} was built in {}, with {} of disk at most\n", how.name, version, readable(took),
               fmt::format("{} MB", grouped(static_cast<std::uint64_t>(shown.disk_bytes() / 1'000'000))));
    if (made.switched) {
        fmt::print("{} v{} is live; the version before is kept and fed until linkledger drop\n", how.name,
                   version);
        return succeeded;
    }
    fmt::print("{} v{} is ready and fed; linkledger switch {} {} makes it live\n", how.name, version,
               how.name, version);
    return made.differences.empty() || options.no_switch ? succeeded : failed;
}

int run_switch(command_options const& options) {
    check_name(options.rebuild.name);
    auto const to = parse_version(options.version);
    auto const from = read_configuration(process_environment);
    set_up_tool_logging(from);
    projections::switch_version(*open_read_store(from), options.rebuild.name, to);
    fmt::print("{} v{} is live\n", options.rebuild.name, to_string(to));
    return succeeded;
}

int run_drop(command_options const& options) {
    check_name(options.rebuild.name);
    auto const which = parse_version(options.version);
    auto const from = read_configuration(process_environment);
    set_up_tool_logging(from);
    projections::drop_version(*open_read_store(from), projections::create_all(), options.rebuild.name, which);
    fmt::print("{} v{} is dropped\n", options.rebuild.name, to_string(which));
    return succeeded;
}

}  // namespace

void add_rebuild(subcommand& to) {
    auto const options = std::make_shared<command_options>();

    auto build =
        to.add_subcommand("rebuild", "Build a version of a read model beside the live one, switch it in");
    build.add_option("NAME", options->rebuild.name, "Of the projection, such as links").required();
    build.add_option("--version", options->version, "Which version (the newest that this executable knows)");
    build.add_option("--jobs", options->rebuild.jobs, "Threads (2)").within(1, 64);
    build.add_option("--max-rate", options->rebuild.rate_max, "Events a second at most").positive();
    build.add_flag("--no-switch", options->no_switch, "Leave it ready, and fed");
    build.add_flag("--accept-differences", options->rebuild.accepts_differences,
                   "Switch though rows differ from the live ones, as after a defect in the fold");
    build.add_flag("--json", options->json, "Say how it went as a JSON object");
    build.add_flag("--no-migrate", options->no_migrate, "Leave the schema alone; see linkledger migrate");
    build.footer(
        "Clients read and write meanwhile. Ended or killed, it goes on where it was with the next call; drop "
        "NAME\n"
        "VERSION gives it up. The version that was live is kept and fed: switch NAME VERSION goes back at "
        "once.");
    build.runs([options] { return run_rebuild(*options); });

    auto change = to.add_subcommand("switch", "Answer reads from another version of a read model");
    change.add_option("NAME", options->rebuild.name, "Of the projection").required();
    change.add_option("VERSION", options->version, "As linkledger projections shows it").required();
    change.runs([options] { return run_switch(*options); });

    auto drop = to.add_subcommand("drop", "Remove a version of a read model that is not live");
    drop.add_option("NAME", options->rebuild.name, "Of the projection").required();
    drop.add_option("VERSION", options->version, "As linkledger projections shows it").required();
    drop.runs([options] { return run_drop(*options); });
}

}  // namespace linkledger::cli
