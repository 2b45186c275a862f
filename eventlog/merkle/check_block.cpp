// One block: every copy of its leaves against every other.

#include "eventlog/leaf_hash.h"
#include "eventlog/merkle/opening.h"
#include "eventlog/merkle/published.h"
#include "eventlog/merkle/verify.h"

#include <algorithm>
#include <cstring>

namespace linkledger::eventlog::merkle {
namespace {

/// One copy of the block's leaves. A leaf that cannot be had (a line that cannot be read) is none.
struct copy {
    std::string where;
    std::string complaint;
    std::vector<std::optional<digest>> leaves;
    std::vector<std::string> errors;  ///< In place of `complaint`, where not empty.
};

class block_check {
public:
    explicit block_check(leaf_block const& block)
        : block_(block),
          first_(block.number * tile_width + 1),
          width_(static_cast<std::size_t>(block.width)) {}

    checked_block run() {
        if (block_.events) add_events(*block_.events);
        if (block_.event_lines) add_lines(*block_.event_lines);
        if (block_.entries) add_entries(*block_.entries);
        if (block_.leaves) add_tile(*block_.leaves);
        for (std::size_t i = 0; i < width_; ++i) compare(i);
        return std::move(done_);
    }

private:
    copy& new_copy(std::string where, std::string complaint) {
        copies_.push_back({std::move(where), std::move(complaint), {}, {}});
        copies_.back().leaves.resize(width_);
        copies_.back().errors.resize(width_);
        return copies_.back();
    }

    void add_events(std::vector<recorded_event> const& events) {
        std::vector<std::string> errors(width_);
        for (std::size_t i = events.size(); i < width_; ++i) errors[i] = "the event is missing";
        add_readable(events, errors);
    }

    void look_at(recorded_event const& event, std::size_t i, copy& computed, copy& stored) {
        auto const wanted = first_ + static_cast<position>(i);
        computed.leaves[i] = leaf_hash_of(event);
        stored.leaves[i] = event.leaf_hash;
        if (event.position != wanted)
            note(wanted, "event",
                 "an event with position " + std::to_string(event.position) + " stands here");
        if (i > 0 && event.recorded_at < done_.last_recorded)
            note(wanted, "event", "it was recorded before the event before it");
        if (i == 0) done_.first_recorded = event.recorded_at;
        done_.last_recorded = event.recorded_at;
    }

    void add_lines(std::string_view text) {
        std::vector<recorded_event> events(width_);
        std::vector<std::string> errors(width_);
        for (std::size_t i = 0; i < width_; ++i) {
            auto const end = text.find('\n');
            if (end == std::string_view::npos) {
                errors[i] = "the event is missing";
                continue;
            }
            auto read = parse_opening(text.substr(0, end), errors[i]);
            text.remove_prefix(end + 1);
            if (read)
                events[i] = std::move(*read);
            else
                errors[i] = "the event cannot be read: " + errors[i];
        }
        if (!text.empty()) note(first_, "event", "there is more than the block's events");
        add_readable(events, errors);
    }

    void add_readable(std::vector<recorded_event> const& events, std::vector<std::string> const& errors) {
        copy stored{
            "leaf hash", "the leaf hash stored with the event is not the one that was logged", {}, {}};
        stored.leaves.resize(width_);
        stored.errors.resize(width_);
        copy computed{"event", "its stored bytes do not lead to the leaf that was logged", {}, errors};
        computed.leaves.resize(width_);
        for (std::size_t i = 0; i < width_; ++i)
            if (errors[i].empty()) look_at(events[i], i, computed, stored);
        copies_.push_back(std::move(stored));
        copies_.push_back(std::move(computed));
    }

    void add_entries(std::string const& bundle) {
        copy& entries = new_copy("entries", "the entry is not what was logged");
        constexpr std::size_t step = 2 + sizeof(digest);
        for (std::size_t i = 0; i < width_; ++i) {
            auto const one =
                parse_bundle(std::string_view{bundle}.substr(std::min(bundle.size(), i * step), step), 1);
            if (one)
                entries.leaves[i] = leaf_hash(one->front());
            else
                entries.errors[i] = "the entry is not 32 bytes with their length";
        }
        if (bundle.size() > width_ * step)
            note(first_, entries_path(), "there is more than the block's entries");
    }

    void add_tile(std::string const& bytes) {
        copy& tile = new_copy("tile", "the tile's hash is not the leaf that was logged");
        for (std::size_t i = 0; i < width_; ++i) {
            if ((i + 1) * sizeof(digest) > bytes.size()) {
                tile.errors[i] = "the tile is too short";
                continue;
            }
            std::memcpy(tile.leaves[i].emplace().data(), bytes.data() + i * sizeof(digest), sizeof(digest));
        }
        if (bytes.size() > width_ * sizeof(digest)) note(first_, tile_path(), "the tile is too long");
    }

    /// What most copies say of a leaf is taken for what was logged; of as many, what an earlier copy says.
    void compare(std::size_t i) {
        std::optional<digest> agreed;
        std::ptrdiff_t most = 0;
        for (copy const& each : copies_) {
            if (!each.leaves[i] || each.leaves[i] == agreed) continue;
            auto const votes = std::count_if(copies_.begin(), copies_.end(), [&](copy const& other) {
                return other.leaves[i] == each.leaves[i];
            });
            if (votes > most) agreed = each.leaves[i];
            most = std::max(most, votes);
        }
        done_.leaves.push_back(agreed.value_or(digest{}));
        for (copy const& each : copies_) {
            if (each.errors[i].empty() && each.leaves[i] == agreed) continue;
            if (each.errors[i].empty() && !each.leaves[i])
                continue;  // Its event could not be read: said there.
            note(first_ + static_cast<position>(i), name_of(each),
                 each.errors[i].empty() ? each.complaint : each.errors[i]);
        }
    }

    [[nodiscard]] std::string name_of(copy const& one) const {
        if (one.where == "entries") return entries_path();
        return one.where == "tile" ? tile_path() : one.where;
    }
    [[nodiscard]] std::string entries_path() const { return to_path({true, 0, block_.number, block_.width}); }
    [[nodiscard]] std::string tile_path() const { return to_path({false, 0, block_.number, block_.width}); }
    void note(position at, std::string where, std::string what) {
        done_.findings.push_back({at, std::move(where), std::move(what)});
    }

    leaf_block const& block_;
    position first_;
    std::size_t width_;
    std::vector<copy> copies_;
    checked_block done_;
};

/// The common case, at the cost of the hashes alone: events that follow each other and lead to their leaves.
bool all_well(leaf_block const& block, checked_block& done) {
    if (!block.events || block.entries || block.leaves || block.event_lines) return false;
    auto const& events = *block.events;
    if (events.size() != static_cast<std::size_t>(block.width)) return false;
    done.leaves.reserve(events.size());
    position next = block.number * tile_width;
    timestamp last = events.front().recorded_at;
    for (recorded_event const& event : events) {
        if (event.position != ++next || event.recorded_at < last || leaf_hash_of(event) != event.leaf_hash)
            return false;
        last = event.recorded_at;
        done.leaves.push_back(event.leaf_hash);
    }
    done.first_recorded = events.front().recorded_at;
    done.last_recorded = last;
    return true;
}

}  // namespace

checked_block check(leaf_block const& block) {
    checked_block done;
    if (all_well(block, done)) return done;
    return block_check{block}.run();
}

}  // namespace linkledger::eventlog::merkle
