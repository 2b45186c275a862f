#pragma once
// The Merkle tree of RFC 6962 over the log's leaf hashes (leaf index = position - 1), in tiles of height 8.

#include "eventlog/event_log.h"

#include <functional>
#include <span>

namespace linkledger::eventlog::merkle {

/// Hashes of a full tile. Entry `i` of tile `n` at tile level `l` is the root of the perfect subtree over
/// the 256^l leaves that start at (n * 256 + i) * 256^l.
constexpr std::int64_t tile_width = 256;
constexpr int tile_height = 8;
/// Levels of tiles that a log of 2^63 leaves has.
constexpr int levels_max = 8;

/// SHA-256(0x01 || left || right).
[[nodiscard]] digest node_hash(digest const& left, digest const& right);
/// The root of a tree without leaves: SHA-256 of nothing.
[[nodiscard]] digest empty_root();
/// The root over a run of hashes whose number is a power of two.
[[nodiscard]] digest perfect_root(std::span<digest const> hashes);

/// How many hashes tile level `level` of a tree of `size` leaves has.
[[nodiscard]] constexpr std::int64_t hashes_at(int level, std::int64_t size) {
    return size >> (tile_height * level);
}

/// A tree that grows at its right edge, of which it holds the unfinished tiles alone: at most 255 hashes a
/// level, whatever the size.
class growing_tree {
public:
    growing_tree() = default;
    /// A tree of `size` leaves whose unfinished tiles are `edge`, from level 0 on: edge[l] has
    /// hashes_at(l, size) % 256 hashes. Throws std::invalid_argument otherwise.
    growing_tree(std::int64_t size, std::vector<std::vector<digest>> edge);

    /// Told of every tile that becomes full, lower levels first. The hashes are valid during the call.
    using full_tile = std::function<void(int level, std::int64_t number, std::span<digest const> hashes)>;
    void add(digest const& leaf, full_tile const& filled);

    /// 256 leaves at once, by the root over them. Only where the last tile of leaves is full.
    void add_tile(digest const& root, full_tile const& filled);

    [[nodiscard]] std::int64_t size() const { return size_; }
    [[nodiscard]] digest root() const;
    [[nodiscard]] int levels() const { return static_cast<int>(edge_.size()); }
    /// The level's unfinished tile, number hashes_at(level, size()) / 256; may be empty.
    [[nodiscard]] std::span<digest const> edge(int level) const {
        return edge_[static_cast<std::size_t>(level)];
    }

private:
    void add_at(int level, digest const& hash, full_tile const& filled);

    std::int64_t size_ = 0;
    std::vector<std::vector<digest>> edge_;
};

}  // namespace linkledger::eventlog::merkle
