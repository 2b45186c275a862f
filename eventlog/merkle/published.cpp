#include "eventlog/merkle/published.h"

#include "eventlog/leaf_hash.h"
#include "eventlog/merkle/note.h"
#include "eventlog/merkle/opening.h"

#include <cstring>

namespace linkledger::eventlog::merkle {
namespace {

constexpr std::string_view entry_size{"\0\x20", 2};  // 32, big-endian.

}  // namespace

std::string to_bytes(std::span<digest const> hashes) {
    return {reinterpret_cast<char const*>(hashes.data()), hashes.size_bytes()};
}

digest entry_of(recorded_event const& event) {
    return commitment(event.position, event.version, event.recorded_at, body_hash(event.stream, event.body));
}

std::string bundle_of(std::span<recorded_event const> events) {
    std::string bundle;
    bundle.reserve(events.size() * (entry_size.size() + sizeof(digest)));
    for (recorded_event const& event : events) {
        digest const entry = entry_of(event);
        bundle += entry_size;
        bundle += to_bytes({&entry, 1});
    }
    return bundle;
}

std::optional<std::vector<digest>> parse_bundle(std::string_view bundle, std::size_t count) {
    constexpr std::size_t step = entry_size.size() + sizeof(digest);
    if (bundle.size() != count * step) return std::nullopt;
    std::vector<digest> entries(count);
    for (std::size_t i = 0; i < count; ++i) {
        if (bundle.substr(i * step, entry_size.size()) != entry_size) return std::nullopt;
        std::memcpy(entries[i].data(), bundle.data() + i * step + entry_size.size(), sizeof(digest));
    }
    return entries;
}

result<std::optional<published_log::view>> published_log::look() {
    BOOST_OUTCOME_TRY(auto const at, log_.head());
    history const of{at.log_id, at.epoch};
    BOOST_OUTCOME_TRY(auto head, store_.head(of));
    if (!head) return std::optional<view>{};
    return std::optional{view{of, head->size, std::move(head->checkpoint)}};
}

result<std::optional<signed_head>> published_log::head() {
    BOOST_OUTCOME_TRY(auto const at, log_.head());
    return store_.head({at.log_id, at.epoch});
}

result<std::vector<digest>> published_log::hashes(history const& of, int level, std::int64_t number,
                                                  std::int64_t width) {
    auto const wanted = static_cast<std::size_t>(width);
    // Leaves are in the log already; they are not kept twice.
    auto read =
        level == 0 ? log_.read_leaf_hashes(number * tile_width, wanted) : store_.tile(of, level, number);
    if (!read) return read.error();
    if (read.value().size() < wanted)
        return failure{failure_code::corrupted, "a tile of the signed tree is missing"};
    read.value().resize(wanted);
    return read;
}

result<std::optional<std::string>> published_log::tile(tile_address const& at) {
    BOOST_OUTCOME_TRY(auto const now, look());
    if (!now || at.number * tile_width + at.width > hashes_at(at.level, now->size))
        return std::optional<std::string>{};
    BOOST_OUTCOME_TRY(auto const read, hashes(now->of, at.level, at.number, at.width));
    return std::optional{to_bytes(read)};
}

result<std::optional<std::string>> published_log::entries(tile_address const& at) {
    BOOST_OUTCOME_TRY(auto const now, look());
    if (!now || at.number * tile_width + at.width > now->size) return std::optional<std::string>{};
    read_query query;
    query.after = at.number * tile_width;
    query.limit = static_cast<std::size_t>(at.width);
    BOOST_OUTCOME_TRY(auto const page, log_.read(query));
    if (page.events.size() < query.limit)
        return failure{failure_code::corrupted, "events of the signed tree are missing"};
    return std::optional{bundle_of(page.events)};
}

result<std::optional<event_proof>> published_log::proof(position at) {
    BOOST_OUTCOME_TRY(auto const now, look());
    if (!now || at < 1 || at > now->size) return std::optional<event_proof>{};
    read_query query;
    query.after = at - 1;
    query.limit = 1;
    BOOST_OUTCOME_TRY(auto page, log_.read(query));
    if (page.events.empty())
        return failure{failure_code::corrupted, "an event of the signed tree is missing"};
    tile_reader const read = [&](int level, std::int64_t number, std::int64_t width) {
        return hashes(now->of, level, number, width);
    };
    BOOST_OUTCOME_TRY(auto const path, inclusion_proof(at - 1, now->size, read));
    event_proof made{std::move(page.events.front()), "c2sp.org/tlog-proof@v1\n"};
    made.text += "extra " + to_base64(to_opening(made.event)) + '\n';
    made.text += "index " + std::to_string(at - 1) + '\n';
    for (digest const& hash : path) made.text += to_base64(hash) + '\n';
    made.text += '\n' + now->checkpoint;
    return std::optional{std::move(made)};
}

}  // namespace linkledger::eventlog::merkle
