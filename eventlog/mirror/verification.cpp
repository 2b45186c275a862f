#include "eventlog/mirror/verification.h"

#include "eventlog/crypto.h"
#include "eventlog/leaf_hash.h"
#include "eventlog/mirror/reader.h"
#include "eventlog/mirror/stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <thread>

namespace linkledger::eventlog::mirror {
namespace {

constexpr std::size_t page_events = 1'000;
constexpr std::chrono::seconds patience{5};

void roll(digest& hash, digest const& leaf) {
    std::array<char, 64> both;
    std::copy(hash.begin(), hash.end(), both.begin());
    std::copy(leaf.begin(), leaf.end(), both.begin() + 32);
    hash = sha256({both.data(), both.size()});
}

/// The stream, once it is as long as the log was, or as it is after some patience.
result<std::optional<stream_state>> await_stream(jetstream& mirror, position head) {
    for (auto const until = std::chrono::steady_clock::now() + patience;;) {
        BOOST_OUTCOME_TRY(auto stream, mirror.find_stream(stream_name));
        if ((stream && stream->last >= head) || std::chrono::steady_clock::now() >= until) return stream;
        std::this_thread::sleep_for(std::chrono::milliseconds{50});
    }
}

/// Compares a page of the log with as much of the mirror; false: there is a difference.
result<bool> compare(std::vector<recorded_event> const& page, reader& from, verification& found) {
    for (std::size_t at = 0; at < page.size();) {
        auto const mirrored = from.next(page.size() - at, patience);
        if (!mirrored && mirrored.error().code != failure_code::corrupted) return mirrored.error();
        if (!mirrored || mirrored.value().empty()) {
            found.difference = mirrored ? fmt::format("position {} does not come", page[at].position)
                                        : mirrored.error().detail;
            return false;
        }
        for (auto const& event : mirrored.value()) {
            auto const& stored = page[at++];
            digest const leaf = leaf_hash_of(stored);
            if (leaf_hash_of(event) != leaf || event.leaf_hash != stored.leaf_hash) {
                found.difference = fmt::format("position {} has other bytes", stored.position);
                return false;
            }
            roll(found.log_hash, leaf);
            roll(found.mirror_hash, leaf_hash_of(event));
            found.compared = stored.position;
        }
    }
    return true;
}

}  // namespace

result<verification> verify(jetstream& mirror, event_log& log,
                            std::function<void(position, position)> const& progress) {
    verification found;
    BOOST_OUTCOME_TRY(auto const start, log.head());
    BOOST_OUTCOME_TRY(auto const stream, await_stream(mirror, start.last));
    BOOST_OUTCOME_TRY(auto const head, log.head());
    found.of = history_of(start);
    found.head = start.last;
    if (!stream) {
        found.difference = "there is no stream";
        return found;
    }
    found.mirrored = stream->last;
    std::minstd_rand random{std::random_device{}()};
    BOOST_OUTCOME_TRY(found.difference, find_fault(mirror, log, *stream, head, random));
    if (found.difference) return found;
    reader from{mirror, found.of, 0};
    position const until = std::min(found.head, found.mirrored);
    while (found.compared < until) {
        read_query query;
        query.after = found.compared;
        query.until = until;
        query.limit = page_events;
        BOOST_OUTCOME_TRY(auto const page, log.read(query));
        if (page.events.empty()) return failure{failure_code::corrupted, "the log ends before its head"};
        BOOST_OUTCOME_TRY(auto const same, compare(page.events, from, found));
        if (progress) progress(found.compared, until);
        if (!same) break;
    }
    return found;
}

}  // namespace linkledger::eventlog::mirror
