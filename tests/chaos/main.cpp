// A cluster under load while random parts of it are killed or restarted: shows that nothing acknowledged is
// lost, nothing is applied twice, and that everything derived from the log is what the log says. Exit code 1
// otherwise.
//
//     linkledger_chaos [--seconds 60] [--every 5] [--seed N] [--rate 300] [--clients 8]

#include "cli/command_line.h"
#include "tests/chaos/check.h"
#include "tests/chaos/cluster.h"
#include "tests/chaos/load.h"
#include "tests/chaos/schedule.h"

#include <spdlog/spdlog.h>

#include <fmt/format.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <map>
#include <optional>
#include <random>
#include <thread>

namespace linkledger::chaos {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using steady = std::chrono::steady_clock;

struct options {
    int seconds = 60;
    double every = 5;
    std::optional<std::uint64_t> seed;
    double rate = 300;
    unsigned clients = 8;
    bool verbose = false;
};

volatile std::sig_atomic_t interrupted = 0;

void say(std::string const& text) {
    fmt::print("{}\n", text);
    std::fflush(stdout);
}

void wait_until(steady::time_point when, cluster& with) {
    while (steady::now() < when && interrupted == 0) {
        with.supervise();
        std::this_thread::sleep_until(std::min(when, steady::now() + 100ms));
    }
}

/// The faults of the schedule, one after the other, each with what the clients got meanwhile.
void carry_out(std::vector<fault> const& faults, milliseconds length, cluster& with, load const& clients) {
    auto const start = steady::now();
    auto answered = clients.answered_so_far();
    for (auto const& each : faults) {
        wait_until(start + each.at, with);
        if (interrupted != 0) return;
        auto const name = with.stop(each);
        wait_until(steady::now() + each.down, with);
        with.start(each);
        auto const now = clients.answered_so_far();
        say(fmt::format("  {} ({}; {} answers since the last one)", describe(each), name, now - answered));
        answered = now;
    }
    wait_until(start + length, with);
}

void print_table(options const& chosen, std::vector<fault> const& faults, cluster const& with,
                 load const& clients, verdict const& found, double settled_s) {
    std::map<std::string, int> by_kind;
    for (auto const& each : faults) {
        static constexpr std::array hows{"kill -9", "restart", "wipe"};
        ++by_kind[fmt::format("{} {}", name_of(each.whom), hows.at(static_cast<std::size_t>(each.how)))];
    }
    std::string kinds;
    for (auto const& [kind, count] : by_kind)
        kinds += fmt::format("{}{} {}", kinds.empty() ? "" : ", ", count, kind);
    auto const& figures = clients.figures();
    std::uint64_t unexpected = 0;
    for (auto const& [what, count] : figures.unexpected) unexpected += count;
    auto const row = [](std::string const& what, auto const& value) {
        fmt::print("{:<58} {}\n", what, value);
    };
    fmt::print("\n");
    row("seed", *chosen.seed);
    row("seconds of load", chosen.seconds);
    row("faults", fmt::format("{} ({})", faults.size(), kinds));
    row("requests sent", figures.sent);
    row("acknowledged", clients.answers().size());
    row("answered 503", figures.unavailable);
    row("without an answer (connection broken)", figures.broken);
    row("commands whose outcome stayed unknown", figures.unknown);
    row("answered otherwise", unexpected);
    row("longest time without any acknowledgement",
        fmt::format("{:.1f} s", static_cast<double>(figures.longest_silence.count()) / 1'000));
    row("processes that ended by themselves", with.ended().size());
    row("seconds until all was ready and at the head again", fmt::format("{:.1f}", settled_s));
    row("events in the log", fmt::format("{} ({} clicks)", found.events, found.clicks));
    row("gaps in the log", found.gaps);
    row("acknowledged and missing in the log", found.missing);
    row("acknowledged at another position", found.misplaced);
    row("applied twice in the log", found.twice);
    row("missing in the mirror", found.mirror_missing);
    row("differences between mirror and log", found.mirror_differences);
    row("rows of read models", found.rows);
    row("rows that differ from a build from position 0", found.row_differences);
    row("differences from a fold of the log", found.fold_differences);
    row("real-time counters in Redis", found.counters);
    row("counters that differ from the log", found.counter_differences);
    row("not at the log's head in time", found.unsettled);
}

int run(options chosen) {
    if (!chosen.seed) chosen.seed = std::random_device{}();
    milliseconds const length = std::chrono::seconds{chosen.seconds};
    auto const faults =
        make_schedule(*chosen.seed, length, milliseconds{static_cast<std::int64_t>(chosen.every * 1'000)});
    say(fmt::format("seed {} (--seed {} does the same again), {} faults in {} s", *chosen.seed, *chosen.seed,
                    faults.size(), chosen.seconds));
    cluster with{{}};
    say("the cluster runs");
    load clients{with.api_ports(), with.admin_key(), chosen.clients, chosen.rate};
    carry_out(faults, length, with, clients);
    clients.stop();
    auto const quiet = steady::now();
    bool const ready = with.settle(60s);
    if (!ready) say("not everything is ready again:\n" + with.logs());
    auto const found = check(with, clients.answers(), 60s);
    print_table(chosen, faults, with, clients, found,
                std::chrono::duration<double>(found.settled_at - quiet).count());
    for (auto const& each : found.details) say("! " + each);
    for (auto const& [what, count] : clients.figures().unexpected) say(fmt::format("! {} x {}", count, what));
    for (auto const& each : with.ended()) say("~ " + each);
    bool const sound = ready && found.sound() && clients.figures().unexpected.empty();
    if (!sound || chosen.verbose) say(with.logs());
    say(sound ? "sound" : "NOT SOUND");
    return sound ? 0 : 1;
}

}  // namespace
}  // namespace linkledger::chaos

int main(int argc, char** argv) {
    linkledger::chaos::options chosen;
    linkledger::cli::command_line line;
    line.name = "linkledger_chaos";
    line.about = "Kills parts of a cluster under load, then compares everything with what was acknowledged.";
    line.fill = [&](linkledger::cli::subcommand& root) {
        root.add_option("--seconds", chosen.seconds, "Of load").within(5, 86'400).take_last().show_default();
        root.add_option("--every", chosen.every, "Seconds between faults")
            .within(0.5, 3'600.0)
            .take_last()
            .show_default();
        root.add_option("--seed", chosen.seed, "The same seed gives the same faults (random)").take_last();
        root.add_option("--rate", chosen.rate, "Requests a second")
            .within(1.0, 100'000.0)
            .take_last()
            .show_default();
        root.add_option("--clients", chosen.clients, "Threads that send them")
            .within(1, 256)
            .take_last()
            .show_default();
        root.add_flag("--verbose", chosen.verbose, "The ends of all logs, too");
        root.runs([&] { return linkledger::chaos::run(chosen); });
    };
    std::signal(SIGINT, [](int) { linkledger::chaos::interrupted = 1; });
    std::signal(SIGTERM, [](int) { linkledger::chaos::interrupted = 1; });
    spdlog::set_level(spdlog::level::off);
    try {
        return linkledger::cli::run(line, argc, argv);
    } catch (std::exception const& problem) {
        fmt::print(stderr, "linkledger_chaos: {}\n", problem.what());
        return 1;
    }
}
