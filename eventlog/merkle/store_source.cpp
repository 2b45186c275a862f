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
    read_query query;
    query.after = first * tile_width;
    query.until = std::min(size, (first + count) * tile_width);
    query.limit = static_cast<std::size_t>(query.until - query.after);
    BOOST_OUTCOME_TRY(auto page, log_.read(query));
    std::vector<leaf_block> read;
    auto next = page.events.begin();
    for (std::int64_t number = first; number < first + count; ++number) {
        leaf_block block;
        block.number = number;
        block.width = std::min(tile_width, size - number * tile_width);
        // By position, so that a missing event is missed where it was.
        auto const end = std::find_if(next, page.events.end(), [&](recorded_event const& event) {
            return event.position > number * tile_width + block.width;
        });
        block.events.emplace(std::make_move_iterator(next), std::make_move_iterator(end));
        next = end;
        read.push_back(std::move(block));
    }
    return read;
}

result<std::optional<std::string>> store_source::tile(tile_address const& at) {
    auto found = published_.tile(at);
    // A tile that is missing is something to report, not a reason to stop.
    if (!found && found.error().code == failure_code::corrupted) return std::optional<std::string>{};
    return found;
}

}  // namespace linkledger::eventlog::merkle
