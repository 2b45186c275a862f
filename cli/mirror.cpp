// `linkledger mirror`: what the mirror of the log in JetStream is like, whether it is the log, and making it
// anew.

#include "cli/composition.h"
#include "cli/subcommand.h"
#include "cli/terminal.h"
#include "eventlog/crypto.h"
#include "eventlog/mirror/nats_connection.h"
#include "eventlog/mirror/stream.h"
#include "eventlog/mirror/verification.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <random>
#include <thread>

namespace linkledger::cli {

namespace {

namespace mirror = eventlog::mirror;
namespace json = boost::json;
using eventlog::position;

constexpr std::chrono::seconds connect_patience{5};
/// A repair that gets nothing done for so long has failed.
constexpr std::chrono::seconds repair_patience{60};

struct both_sides {
    configuration from;
    log_side log;
    std::unique_ptr<mirror::nats_connection> nats;
};

both_sides open_both() {
    both_sides made;
    made.from = read_configuration(process_environment);
    if (made.from.nats_url.empty())
        throw configuration_error{"NATS_URL: needed to reach the mirror; see --help"};
    set_up_tool_logging(made.from);
    made.log = open_log(made.from);
    made.nats = std::make_unique<mirror::nats_connection>(nats_options_of(made.from, "linkledger mirror"));
    if (!made.nats->wait_connected(connect_patience))
        throw command_failed{"NATS at " + redact_url(made.from.nats_url) + " cannot be reached"};
    return made;
}

json::value text_or_null(std::optional<std::string> const& text) {
    return text ? json::value(*text) : json::value(nullptr);
}

int show_status(bool as_json) {
    auto const both = open_both();
    auto const stream =
        value_or_fail(both.nats->find_stream(mirror::stream_name), "the stream cannot be read");
    auto const head = value_or_fail(both.log.log->head(), "the log cannot be read");
    std::optional<std::string> fault{"there is no stream"};
    if (stream) {
        std::minstd_rand random{std::random_device{}()};
        fault = value_or_fail(mirror::find_fault(*both.nats, *both.log.log, *stream, head, random),
                              "the stream cannot be read");
    }
    auto const last = stream ? stream->last : 0;
    if (as_json) {
        json::object const answer{{"stream", mirror::stream_name},
                                  {"log_id", domain::to_string(head.log_id)},
                                  {"epoch", head.epoch},
                                  {"head", head.last},
                                  {"mirrored", last},
                                  {"lag_events", head.last - last},
                                  {"bytes", stream ? stream->bytes : 0},
                                  {"replicas", stream ? stream->replicas : 0},
                                  {"fault", text_or_null(fault)}};
        fmt::print("{}\n", json::serialize(answer));
    } else {
        fmt::print("{}", table({"stream", "mirrored", "head", "lag", "bytes", "state"},
                               {{mirror::stream_name, grouped(static_cast<std::uint64_t>(last)),
                                 grouped(static_cast<std::uint64_t>(head.last)),
                                 grouped(static_cast<std::uint64_t>(head.last - last)),
                                 grouped(stream ? stream->bytes : 0), fault.value_or("whole")}}));
    }
    return fault ? failed : succeeded;
}

int verify_all(bool as_json) {
    auto const both = open_both();
    std::unique_ptr<progress> bar;
    auto const found =
        value_or_fail(mirror::verify(*both.nats, *both.log.log,
                                     [&](position done, position of) {
                                         if (!bar)
                                             bar = std::make_unique<progress>(stderr, "verifying", "events",
                                                                              static_cast<std::uint64_t>(of));
                                         bar->update(static_cast<std::uint64_t>(done));
                                     }),
                      "the mirror cannot be verified");
    bar.reset();
    auto difference = found.difference;
    if (!difference && !found.whole())
        difference = fmt::format("the mirror has {} of {} events", found.compared, found.head);
    if (as_json) {
        json::object const answer{{"log_id", domain::to_string(found.of.log_id)},
                                  {"epoch", found.of.epoch},
                                  {"head", found.head},
                                  {"mirrored", found.mirrored},
                                  {"compared", found.compared},
                                  {"log_hash", eventlog::to_hex(found.log_hash)},
                                  {"mirror_hash", eventlog::to_hex(found.mirror_hash)},
                                  {"difference", text_or_null(difference)}};
        fmt::print("{}\n", json::serialize(answer));
    } else if (difference) {
        fmt::print("different: {}\n", *difference);
    } else {
        fmt::print("{} events, the same in log and mirror; rolling hash {}\n",
                   grouped(static_cast<std::uint64_t>(found.compared)), eventlog::to_hex(found.log_hash));
    }
    return difference ? failed : succeeded;
}

/// Follows a relay of our own, or whichever is faster, to where the log was.
void await_mirror(mirror::relay const& relay, position head) {
    progress bar{stderr, "publishing", "events", static_cast<std::uint64_t>(head)};
    auto moved_at = std::chrono::steady_clock::now();
    for (position last = 0; last < head;) {
        std::this_thread::sleep_for(std::chrono::milliseconds{20});
        auto const now = relay.stats();
        if (now.mirrored > last) moved_at = std::chrono::steady_clock::now();
        last = now.mirrored;
        bar.update(static_cast<std::uint64_t>(last));
        if (std::chrono::steady_clock::now() - moved_at > repair_patience)
            throw command_failed{"the mirror does not move: " + now.last_failure};
    }
}

int repair(bool as_json) {
    auto const both = open_both();
    auto const head = value_or_fail(both.log.log->head(), "the log cannot be read");
    value_or_fail(both.nats->delete_stream(mirror::stream_name), "the stream cannot be deleted");
    auto const relay = open_relay(both.from, both.log);
    relay->start();
    await_mirror(*relay, head.last);
    relay->stop();
    if (as_json)
        fmt::print("{}\n", json::serialize(json::object{{"head", head.last}}));
    else
        fmt::print("the mirror has all {} events\n", grouped(static_cast<std::uint64_t>(head.last)));
    return succeeded;
}

void add(subcommand& to, std::string const& name, std::string const& help, int (*run)(bool)) {
    auto command = to.add_subcommand(name, help);
    auto const as_json = std::make_shared<bool>(false);
    command.add_flag("--json", *as_json, "As a JSON object");
    command.runs([as_json, run] { return run(*as_json); });
}

}  // namespace

void add_mirror(subcommand& to) {
    auto command = to.add_subcommand("mirror", "Look after the mirror of the log in NATS JetStream");
    command.require_subcommand();
    add(command, "status", "How far it is, and whether anything speaks against it", show_status);
    add(command, "verify", "Compare every event with the log", verify_all);
    add(command, "repair", "Delete the stream and make it anew from the log", repair);
}

}  // namespace linkledger::cli
