#include "eventlog/merkle/bundle.h"

#include "eventlog/merkle/opening.h"

#include <algorithm>

namespace linkledger::eventlog::merkle {
namespace {

constexpr std::string_view checkpoint_name = "checkpoint";
constexpr std::string_view keys_name = "verifier-key";
constexpr std::int64_t page_blocks = 16;

result<void> add_blocks(event_log& log, position& done, position size, bundle_writer& to) {
    read_query query;
    query.after = done;
    query.limit = static_cast<std::size_t>(std::min(size - done, page_blocks * tile_width));
    BOOST_OUTCOME_TRY(auto const page, log.read(query));
    if (page.events.size() != query.limit)
        return failure{failure_code::corrupted, "events that the signed head covers are missing"};
    for (std::size_t begin = 0; begin < page.events.size(); begin += static_cast<std::size_t>(tile_width)) {
        auto const number = (done + static_cast<position>(begin)) / tile_width;
        auto const width = std::min(static_cast<std::size_t>(tile_width), page.events.size() - begin);
        std::span<recorded_event const> const events{page.events.data() + begin, width};
        std::vector<digest> leaves;
        std::string lines;
        for (recorded_event const& event : events) {
            leaves.push_back(event.leaf_hash);
            lines += to_opening(event) + '\n';
        }
        auto const w = static_cast<std::int64_t>(width);
        BOOST_OUTCOME_TRY(to.add(to_path({true, 0, number, w}), bundle_of(events)));
        BOOST_OUTCOME_TRY(to.add(to_path({false, 0, number, w}), to_bytes(leaves)));
        BOOST_OUTCOME_TRY(to.add(events_path(number), lines));
    }
    done += static_cast<position>(page.events.size());
    return boost::outcome_v2::success();
}

result<void> add_tiles(published_log& tree, position size, bundle_writer& to) {
    for (int level = 1; level < levels_max && hashes_at(level, size) > 0; ++level) {
        auto const hashes = hashes_at(level, size);
        for (std::int64_t number = 0; number * tile_width < hashes; ++number) {
            tile_address const at{false, level, number, std::min(tile_width, hashes - number * tile_width)};
            BOOST_OUTCOME_TRY(auto const bytes, tree.tile(at));
            if (!bytes) return failure{failure_code::corrupted, "a tile of the signed tree is missing"};
            BOOST_OUTCOME_TRY(to.add(to_path(at), *bytes));
        }
    }
    return boost::outcome_v2::success();
}

}  // namespace

std::string events_path(std::int64_t block) {
    std::string const path = to_path({true, 0, block, tile_width});
    return "events" + path.substr(std::string_view{"tile/entries"}.size()) + ".ndjson";
}

result<checkpoint> export_bundle(event_log& log, published_log& tree, std::vector<verifier_key> const& keys,
                                 bundle_writer& to, std::function<void(position, position)> const& progress) {
    BOOST_OUTCOME_TRY(auto const head, tree.head());
    auto const at = head ? parse_checkpoint(head->checkpoint) : std::nullopt;
    if (!at) return failure{failure_code::corrupted, "the log has no signed head yet: let `serve` run"};
    std::string key_lines;
    for (verifier_key const& key : keys) key_lines += key.to_text() + '\n';
    BOOST_OUTCOME_TRY(to.add(std::string{checkpoint_name}, head->checkpoint));
    BOOST_OUTCOME_TRY(to.add(std::string{keys_name}, key_lines));
    for (position done = 0; done < at->size;) {
        BOOST_OUTCOME_TRY(add_blocks(log, done, at->size, to));
        if (progress) progress(done, at->size);
    }
    BOOST_OUTCOME_TRY(add_tiles(tree, at->size, to));
    BOOST_OUTCOME_TRY(to.finish());
    return *at;
}

result<std::unique_ptr<bundle_source>> bundle_source::open(member_reader members) {
    std::unique_ptr<bundle_source> made{new bundle_source{std::move(members)}};
    BOOST_OUTCOME_TRY(made->advance());
    std::optional<std::string> bytes;
    BOOST_OUTCOME_TRY(bool const has_checkpoint, made->take(std::string{checkpoint_name}, bytes));
    if (!has_checkpoint)
        return failure{failure_code::corrupted, "the bundle does not begin with a checkpoint"};
    made->note_ = std::move(*bytes);
    BOOST_OUTCOME_TRY(bool const has_keys, made->take(std::string{keys_name}, bytes));
    for (std::string_view rest = has_keys ? std::string_view{*bytes} : std::string_view{}; !rest.empty();) {
        auto const end = std::min(rest.find('\n'), rest.size());
        if (auto key = parse_verifier_key(rest.substr(0, end))) made->keys_.push_back(std::move(*key));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return made;
}

result<void> bundle_source::advance() {
    BOOST_OUTCOME_TRY(next_, members_());
    return boost::outcome_v2::success();
}

/// True, and on to the next member, when the next one has that name.
result<bool> bundle_source::take(std::string const& name, std::optional<std::string>& into) {
    if (!next_ || next_->name != name) return false;
    into = std::move(next_->bytes);
    BOOST_OUTCOME_TRY(advance());
    return true;
}

result<std::vector<leaf_block>> bundle_source::blocks(std::int64_t first, std::int64_t count,
                                                      std::int64_t size) {
    std::vector<leaf_block> read;
    for (std::int64_t number = first; number < first + count; ++number) {
        leaf_block block;
        block.number = number;
        block.width = std::min(tile_width, size - number * tile_width);
        BOOST_OUTCOME_TRY(bool const entries, take(to_path({true, 0, number, block.width}), block.entries));
        BOOST_OUTCOME_TRY(bool const leaves, take(to_path({false, 0, number, block.width}), block.leaves));
        BOOST_OUTCOME_TRY(bool const events, take(events_path(number), block.event_lines));
        if (!entries || !leaves || !events) return read;
        read.push_back(std::move(block));
    }
    return read;
}

result<std::optional<std::string>> bundle_source::tile(tile_address const& at) {
    if (!has_tiles_) {
        while (next_) {
            tiles_.emplace(std::move(next_->name), std::move(next_->bytes));
            BOOST_OUTCOME_TRY(advance());
        }
        has_tiles_ = true;
    }
    auto const found = tiles_.find(to_path(at));
    return found == tiles_.end() ? std::optional<std::string>{} : std::optional{found->second};
}

}  // namespace linkledger::eventlog::merkle
