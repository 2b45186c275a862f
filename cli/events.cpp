// `linkledger events`: the log as NDJSON, an event per line, in the form of the HTTP API.

#include "cli/composition.h"
#include "cli/subcommand.h"

#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>

namespace linkledger::cli {

namespace {

struct events_options {
    eventlog::position after = 0;
    std::string stream;
    std::vector<std::string> types;
    std::uint64_t limit = 0;
    bool follow = false;
    bool personal = false;
};

/// `data` and `metadata` are JSON text in the log and go out byte for byte.
std::string as_line(eventlog::recorded_event const& event, eventlog::keyring& keys, bool with_personal) {
    auto const& body = event.body;
    std::string personal = "null";
    if (with_personal) {
        auto const opened =
            value_or_fail(keys.open(body.personal, body.event_id, eventlog::sealed_part::personal),
                          "a personal part cannot be read");
        if (opened) personal = *opened;
    }
    std::string const workspace =
        body.workspace_id.is_nil() ? "null" : "\"" + domain::to_string(body.workspace_id) + "\"";
    return fmt::format(
        R"({{"position":{},"event_id":"{}","stream":{},"version":{},"workspace_id":{},"type":{},)"
        R"("schema_version":{},"occurred_at":"{}","recorded_at":"{}","data":{},"personal":{},)"
        R"("metadata":{}}})",
        event.position, domain::to_string(body.event_id), boost::json::serialize(event.stream), event.version,
        workspace, boost::json::serialize(body.type), body.schema_version,
        domain::to_rfc3339(body.occurred_at), domain::to_rfc3339(event.recorded_at), body.data, personal,
        body.metadata);
}

int print(events_options const& options) {
    auto const from = read_configuration(process_environment);
    set_up_tool_logging(from);
    auto const log = open_log(from);
    eventlog::read_query query;
    query.after = options.after;
    query.stream = options.stream;
    query.types = options.types;
    std::uint64_t left = options.limit == 0 ? std::numeric_limits<std::uint64_t>::max() : options.limit;
    for (;;) {
        query.limit = static_cast<std::size_t>(std::min<std::uint64_t>(left, 1'000));
        auto const page = value_or_fail(log.log->read(query), "the log cannot be read");
        for (auto const& event : page.events) fmt::print("{}\n", as_line(event, *log.keys, options.personal));
        left -= page.events.size();
        if (std::fflush(stdout) != 0) return failed;  // The reader is gone.
        if (left == 0) return succeeded;
        bool const at_the_end = page.events.size() < query.limit;
        query.after = std::max(query.after, page.scanned_to);
        if (!at_the_end) continue;
        if (!options.follow) return succeeded;
        log.log->wait_beyond(query.after, std::chrono::milliseconds{1'000});
    }
}

}  // namespace

void add_events(subcommand& to) {
    auto command = to.add_subcommand("events", "Print the log, a JSON object per line");
    auto const options = std::make_shared<events_options>();
    command.add_option("--after", options->after, "Begin behind this position (0)").not_negative();
    command.add_option("--stream", options->stream, "Of one stream, as in link-0192…");
    command.add_option("--type", options->types, "Of these types, as in link.created,link.updated")
        .separated_by_commas();
    command.add_option("--limit", options->limit, "So many at most (all)");
    command.add_flag("--follow", options->follow, "Wait for new ones, until interrupted");
    command.add_flag("--personal", options->personal,
                     "With addresses, names and the like, where they were not erased");
    command.runs([options] { return print(*options); });
}

}  // namespace linkledger::cli
