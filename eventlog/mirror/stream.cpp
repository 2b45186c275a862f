#include "eventlog/mirror/stream.h"

#include "eventlog/leaf_hash.h"

#include <fmt/format.h>

namespace linkledger::eventlog::mirror {
namespace {

using fault = std::optional<std::string>;

std::string description_of(history const& of) {
    return "mirror of log " + domain::to_string(of.log_id) + " epoch " + std::to_string(of.epoch);
}

result<fault> find_fault_at(jetstream& mirror, event_log& log, position at, history const& of) {
    BOOST_OUTCOME_TRY(auto const payload, mirror.payload_at(stream_name, at));
    if (!payload) return fault{fmt::format("message {} is missing", at)};
    auto const mirrored = decode(*payload);
    if (!mirrored) return fault{fmt::format("message {} is no event", at)};
    read_query query;
    query.after = at - 1;
    query.until = at;
    query.limit = 1;
    BOOST_OUTCOME_TRY(auto const page, log.read(query));
    if (page.events.empty()) return fault{fmt::format("the log has no position {}", at)};
    auto const& [seen_of, seen] = mirrored.value();
    if (seen_of != of) return fault{fmt::format("message {} is of another history", at)};
    if (seen.position != at) return fault{fmt::format("message {} is of position {}", at, seen.position)};
    if (leaf_hash_of(seen) != page.events.front().leaf_hash)
        return fault{fmt::format("message {} differs from the log", at)};
    return fault{};
}

}  // namespace

stream_settings settings_of(history const& of, int replicas) {
    return {stream_name, std::string{subject_prefix} + ">", description_of(of), replicas};
}

result<fault> find_fault(jetstream& mirror, event_log& log, stream_state const& stream, log_head const& head,
                         std::minstd_rand& random) {
    auto const of = history_of(head);
    if (stream.description != description_of(of)) return fault{"it is of another history"};
    if (stream.last > head.last)
        return fault{fmt::format("it has {} messages, the log {} events", stream.last, head.last)};
    if (stream.last == 0) return fault{};
    if (stream.first != 1 || stream.messages != stream.last)
        return fault{fmt::format("{} of {} messages are left", stream.messages, stream.last)};
    auto const any = std::uniform_int_distribution<position>{1, stream.last}(random);
    for (auto const at : {stream.last, any}) {
        BOOST_OUTCOME_TRY(auto found, find_fault_at(mirror, log, at, of));
        if (found) return found;
    }
    return fault{};
}

}  // namespace linkledger::eventlog::mirror
