#pragma once
// Proofs of RFC 6962, sections 2.1.1 and 2.1.2: that a leaf is in a tree, and that a tree continues an
// earlier one.

#include "eventlog/merkle/tree.h"

namespace linkledger::eventlog::merkle {

/// Where the hashes of tiles come from. `width` hashes are asked for, no more than the tree has.
using tile_reader =
    std::function<result<std::vector<digest>>(int level, std::int64_t number, std::int64_t width)>;

/// The root of the first `size` leaves.
[[nodiscard]] result<digest> root_of(std::int64_t size, tile_reader const& tiles);

/// From the leaf's sibling up to a child of the root. `index` < `size`.
[[nodiscard]] result<std::vector<digest>> inclusion_proof(std::int64_t index, std::int64_t size,
                                                          tile_reader const& tiles);
/// That the tree of `size` leaves begins with the tree of `old_size`; 0 < `old_size` <= `size`.
[[nodiscard]] result<std::vector<digest>> consistency_proof(std::int64_t old_size, std::int64_t size,
                                                            tile_reader const& tiles);

/// Whether the proof leads from the leaf to the root.
[[nodiscard]] bool proves_inclusion(std::span<digest const> proof, std::int64_t index, std::int64_t size,
                                    digest const& leaf, digest const& root);
/// Whether the proof leads from both roots to both roots.
[[nodiscard]] bool proves_consistency(std::span<digest const> proof, std::int64_t old_size, std::int64_t size,
                                      digest const& old_root, digest const& root);

}  // namespace linkledger::eventlog::merkle
