#include "eventlog/merkle/proof.h"

#include <algorithm>
#include <bit>
#include <map>

namespace linkledger::eventlog::merkle {
namespace {

/// The largest power of two below `size`, where a tree of more than one leaf is split.
std::int64_t split_of(std::int64_t size) {
    return static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(size - 1)));
}

/// Hashes of subtrees of a tree of `size` leaves, by way of its tiles, each of which is read once.
class subtrees {
public:
    subtrees(std::int64_t size, tile_reader const& tiles) : size_(size), tiles_(tiles) {}

    /// The hash over leaves [low, high), a subtree as the tree is split.
    result<digest> hash(std::int64_t low, std::int64_t high) {
        std::int64_t const width = high - low;
        if (std::has_single_bit(static_cast<std::uint64_t>(width))) return perfect(low, width);
        std::int64_t const middle = low + split_of(width);
        BOOST_OUTCOME_TRY(auto const left, hash(low, middle));
        BOOST_OUTCOME_TRY(auto const right, hash(middle, high));
        return node_hash(left, right);
    }

private:
    result<digest> perfect(std::int64_t low, std::int64_t width) {
        int const height = std::countr_zero(static_cast<std::uint64_t>(width));
        int const level = height / tile_height;
        std::int64_t const first = low >> (tile_height * level);
        std::int64_t const count = std::int64_t{1} << (height % tile_height);
        BOOST_OUTCOME_TRY(auto const* const hashes, tile(level, first / tile_width));
        auto const begin = static_cast<std::size_t>(first % tile_width);
        if (begin + static_cast<std::size_t>(count) > hashes->size())
            return failure{failure_code::corrupted, "a tile of the tree is too short"};
        return perfect_root({hashes->data() + begin, static_cast<std::size_t>(count)});
    }

    result<std::vector<digest> const*> tile(int level, std::int64_t number) {
        auto const key = std::pair{level, number};
        if (auto const known = read_.find(key); known != read_.end()) return &known->second;
        std::int64_t const width = std::min(tile_width, hashes_at(level, size_) - number * tile_width);
        BOOST_OUTCOME_TRY(auto hashes, tiles_(level, number, width));
        return &read_.emplace(key, std::move(hashes)).first->second;
    }

    std::int64_t size_;
    tile_reader const& tiles_;
    std::map<std::pair<int, std::int64_t>, std::vector<digest>> read_;
};

}  // namespace

result<digest> root_of(std::int64_t size, tile_reader const& tiles) {
    if (size == 0) return empty_root();
    return subtrees{size, tiles}.hash(0, size);
}

result<std::vector<digest>> inclusion_proof(std::int64_t index, std::int64_t size, tile_reader const& tiles) {
    subtrees from{size, tiles};
    std::vector<digest> proof;
    std::int64_t low = 0;
    std::int64_t high = size;
    while (high - low > 1) {
        std::int64_t const middle = low + split_of(high - low);
        bool const is_left = index < middle;
        BOOST_OUTCOME_TRY(auto const sibling, is_left ? from.hash(middle, high) : from.hash(low, middle));
        proof.push_back(sibling);
        (is_left ? high : low) = middle;
    }
    std::reverse(proof.begin(), proof.end());
    return proof;
}

result<std::vector<digest>> consistency_proof(std::int64_t old_size, std::int64_t size,
                                              tile_reader const& tiles) {
    subtrees from{size, tiles};
    std::vector<digest> proof;
    std::int64_t low = 0;
    std::int64_t high = size;
    while (old_size != high) {
        std::int64_t const middle = low + split_of(high - low);
        bool const is_left = old_size <= middle;
        BOOST_OUTCOME_TRY(auto const sibling, is_left ? from.hash(middle, high) : from.hash(low, middle));
        proof.push_back(sibling);
        (is_left ? high : low) = middle;
    }
    // Where the old tree is not a subtree from the first leaf on, its last part is given too.
    if (low != 0) {
        BOOST_OUTCOME_TRY(auto const last, from.hash(low, high));
        proof.push_back(last);
    }
    std::reverse(proof.begin(), proof.end());
    return proof;
}

// The checks follow RFC 9162, sections 2.1.3.2 and 2.1.4.2, and share nothing with the making of proofs.

bool proves_inclusion(std::span<digest const> proof, std::int64_t index, std::int64_t size,
                      digest const& leaf, digest const& root) {
    if (index < 0 || index >= size) return false;
    auto at = static_cast<std::uint64_t>(index);
    auto last = static_cast<std::uint64_t>(size - 1);
    digest hash = leaf;
    for (digest const& sibling : proof) {
        if (last == 0) return false;
        if ((at & 1) != 0 || at == last) {
            hash = node_hash(sibling, hash);
            while ((at & 1) == 0 && at != 0) {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    return last == 0 && hash == root;
}

bool proves_consistency(std::span<digest const> proof, std::int64_t old_size, std::int64_t size,
                        digest const& old_root, digest const& root) {
    if (old_size <= 0 || old_size > size) return false;
    if (old_size == size) return proof.empty() && old_root == root;
    auto at = static_cast<std::uint64_t>(old_size - 1);
    auto last = static_cast<std::uint64_t>(size - 1);
    while ((at & 1) != 0) {
        at >>= 1;
        last >>= 1;
    }
    std::size_t next = 0;
    if (at != 0 && proof.empty()) return false;
    digest old_hash = at == 0 ? old_root : proof[next++];
    digest hash = old_hash;
    for (; next < proof.size(); ++next) {
        if (last == 0) return false;
        if ((at & 1) != 0 || at == last) {
            old_hash = node_hash(proof[next], old_hash);
            hash = node_hash(proof[next], hash);
            while ((at & 1) == 0 && at != 0) {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(hash, proof[next]);
        }
        at >>= 1;
        last >>= 1;
    }
    return last == 0 && old_hash == old_root && hash == root;
}

}  // namespace linkledger::eventlog::merkle
