#include "eventlog/merkle/store_source.h"

#include <algorithm>
#include <iterator>

namespace linkledger::eventlog::merkle {

result<std::string> store_source::checkpoint_note() {
    BOOST_OUTCOME_TRY(auto head, published_.head());
    return head ? std::move(head->checkpoint) : std::string{};
}

result<std::optional<position>> store_source::last() {
    BOOST_OUTCOME_TRY(auto const head, log_.head());
    return std::optional{head.last};
}

result<std::vector<leaf_block>> store_source::blocks(std::int64_t first, std::int64_t count,
                                                     std::int64_t size) {
    BOOST_OUTCOME_TRY(auto events, read(first * tile_width, std::min(size, (first + count) * tile_width)));
    std::vector<leaf_block> blocks;
    auto next = events.begin();
    for (std::int64_t number = first; number < first + count; ++number) {
        leaf_block block;
        block.number = number;
        block.width = std::min(tile_width, size - number * tile_width);
        // By position, so that a missing event is missed where it was.
        auto const end = std::find_if(next, events.end(), [&](recorded_event const& event) {
            return event.position > number * tile_width + block.width;
        });
        block.events.emplace(std::make_move_iterator(next), std::make_move_iterator(end));
        next = end;
        blocks.push_back(std::move(block));
    }
    return blocks;
}

result<std::vector<recorded_event>> store_source::read(position after, position until) {
    std::unique_ptr<bulk_reader> reader;
    {
        std::lock_guard const lock{mutex_};
        if (!idle_.empty()) {
            reader = std::move(idle_.back());
            idle_.pop_back();
        }
    }
    if (!reader) reader = readers_();
    bulk_query query;
    query.after = after;
    query.until = until;
    query.fields = {.stream = true, .workspace = true, .personal = true, .cause = true, .leaf = true};
    std::vector<recorded_event> events;
    events.reserve(static_cast<std::size_t>(until - after));
    BOOST_OUTCOME_TRY(
        reader->read(query, [&](recorded_event& event) { events.push_back(std::move(event)); }));
    std::lock_guard const lock{mutex_};
    idle_.push_back(std::move(reader));
    return events;
}

result<std::optional<std::string>> store_source::tile(tile_address const& at) {
    auto found = published_.tile(at);
    // A tile that is missing is something to report, not a reason to stop.
    if (!found && found.error().code == failure_code::corrupted) return std::optional<std::string>{};
    return found;
}

}  // namespace linkledger::eventlog::merkle
