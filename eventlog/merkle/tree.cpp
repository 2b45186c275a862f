#include "eventlog/merkle/tree.h"

#include "eventlog/crypto.h"

#include <algorithm>
#include <stdexcept>

namespace linkledger::eventlog::merkle {

digest node_hash(digest const& left, digest const& right) {
    std::array<char, 1 + 2 * sizeof(digest)> bytes;
    bytes[0] = 1;
    std::copy(left.begin(), left.end(), bytes.begin() + 1);
    std::copy(right.begin(), right.end(), bytes.begin() + 1 + sizeof(digest));
    return sha256({bytes.data(), bytes.size()});
}

digest empty_root() {
    return sha256({});
}

digest perfect_root(std::span<digest const> hashes) {
    if (hashes.size() == 1) return hashes.front();
    std::vector<digest> level;
    level.reserve(hashes.size() / 2);
    for (std::size_t i = 0; i + 1 < hashes.size(); i += 2)
        level.push_back(node_hash(hashes[i], hashes[i + 1]));
    for (std::size_t left = level.size(); left > 1; left /= 2)
        for (std::size_t i = 0; i < left / 2; ++i) level[i] = node_hash(level[2 * i], level[2 * i + 1]);
    return level.front();
}

growing_tree::growing_tree(std::int64_t size, std::vector<std::vector<digest>> edge)
    : size_(size), edge_(std::move(edge)) {
    for (int level = 0; level < levels_max; ++level) {
        auto const wanted = static_cast<std::size_t>(hashes_at(level, size) % tile_width);
        auto const had = level < levels() ? edge_[static_cast<std::size_t>(level)].size() : 0;
        if (had != wanted) throw std::invalid_argument("the edge of a tree does not fit its size");
    }
}

void growing_tree::add(digest const& leaf, full_tile const& filled) {
    ++size_;
    add_at(0, leaf, filled);
}

void growing_tree::add_tile(digest const& root, full_tile const& filled) {
    if (size_ % tile_width != 0) throw std::invalid_argument("the last tile of leaves is not full");
    size_ += tile_width;
    if (edge_.empty()) edge_.emplace_back();
    add_at(1, root, filled);
}

void growing_tree::add_at(int level, digest const& hash, full_tile const& filled) {
    auto const at = static_cast<std::size_t>(level);
    if (edge_.size() == at) edge_.emplace_back();
    edge_[at].push_back(hash);
    if (edge_[at].size() < static_cast<std::size_t>(tile_width)) return;
    std::vector<digest> const full = std::move(edge_[at]);
    edge_[at].clear();
    filled(level, hashes_at(level, size_) / tile_width - 1, full);
    add_at(level + 1, perfect_root(full), filled);
}

/// The tree is a row of perfect subtrees, largest first, one for each bit of its size; they are joined from
/// the right.
digest growing_tree::root() const {
    std::optional<digest> joined;
    for (auto const& hashes : edge_) {
        std::size_t end = hashes.size();
        for (std::size_t width = 1; width < static_cast<std::size_t>(tile_width); width *= 2) {
            if ((hashes.size() & width) == 0) continue;
            end -= width;
            digest const left = perfect_root({hashes.data() + end, width});
            joined = joined ? node_hash(left, *joined) : left;
        }
    }
    return joined.value_or(empty_root());
}

}  // namespace linkledger::eventlog::merkle
