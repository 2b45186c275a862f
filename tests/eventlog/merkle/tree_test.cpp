// The tree against vectors of certificate transparency and against the definition of RFC 6962.

#include "eventlog/crypto.h"
#include "eventlog/leaf_hash.h"
#include "eventlog/merkle/proof.h"
#include "eventlog/merkle/tile_path.h"

#include <gmock/gmock.h>

#include <map>
#include <random>

namespace linkledger::test {
namespace {

using namespace eventlog;
using namespace eventlog::merkle;

digest leaf_of(std::string const& entry) {
    return sha256(std::string(1, '\0') + entry);
}

/// MTH of RFC 6962, section 2.1, as it is written there.
digest root_by_definition(std::span<digest const> leaves) {
    if (leaves.empty()) return sha256({});
    if (leaves.size() == 1) return leaves.front();
    std::size_t split = 1;
    while (split * 2 < leaves.size()) split *= 2;
    return node_hash(root_by_definition(leaves.first(split)), root_by_definition(leaves.subspan(split)));
}

std::vector<digest> some_leaves(std::size_t count) {
    std::vector<digest> leaves;
    for (std::size_t i = 0; i < count; ++i) leaves.push_back(leaf_of("leaf " + std::to_string(i)));
    return leaves;
}

/// A tree with all its tiles in memory.
class whole_tree {
public:
    explicit whole_tree(std::vector<digest> const& leaves) {
        for (digest const& leaf : leaves)
            tree_.add(leaf, [&](int level, std::int64_t number, std::span<digest const> hashes) {
                tiles_[{level, number}] = {hashes.begin(), hashes.end()};
            });
        for (int level = 0; level < tree_.levels(); ++level) {
            auto const edge = tree_.edge(level);
            if (!edge.empty())
                tiles_[{level, hashes_at(level, tree_.size()) / tile_width}] = {edge.begin(), edge.end()};
        }
    }
    [[nodiscard]] growing_tree const& tree() const { return tree_; }
    [[nodiscard]] tile_reader reader() const {
        return [this](int level, std::int64_t number, std::int64_t width) -> result<std::vector<digest>> {
            auto hashes = tiles_.at({level, number});
            EXPECT_GE(hashes.size(), static_cast<std::size_t>(width));
            hashes.resize(static_cast<std::size_t>(width));
            return hashes;
        };
    }

private:
    growing_tree tree_;
    std::map<std::pair<int, std::int64_t>, std::vector<digest>> tiles_;
};

TEST(MerkleTree, HasTheRootsOfCertificateTransparencysVectors) {
    std::vector<std::string> const entries{
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
    std::vector<std::string> const roots{"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                                         "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                                         "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                                         "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                                         "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                                         "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                                         "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                                         "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
    growing_tree tree;
    EXPECT_EQ(to_hex(tree.root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (std::size_t i = 0; i < entries.size(); ++i) {
        tree.add(leaf_of(*from_hex(entries[i])), [](int, std::int64_t, std::span<digest const>) {});
        EXPECT_EQ(to_hex(tree.root()), roots[i]) << i + 1 << " leaves";
    }
}

TEST(MerkleTree, HasTheRootOfTheDefinitionAtEverySize) {
    auto const leaves = some_leaves(1'100);
    growing_tree tree;
    for (std::size_t size = 1; size <= leaves.size(); ++size) {
        tree.add(leaves[size - 1], [](int, std::int64_t, std::span<digest const>) {});
        if (size % 7 != 0 && size % 256 > 2) continue;
        ASSERT_EQ(tree.root(), root_by_definition({leaves.data(), size})) << size;
    }
}

TEST(MerkleTree, GoesOnFromItsEdge) {
    auto const leaves = some_leaves(70'000);
    for (std::size_t const size : {0, 1, 255, 256, 257, 65'535, 65'536, 65'537}) {
        whole_tree const begun{{leaves.begin(), leaves.begin() + static_cast<std::ptrdiff_t>(size)}};
        std::vector<std::vector<digest>> edge;
        for (int level = 0; level < begun.tree().levels(); ++level)
            edge.emplace_back(begun.tree().edge(level).begin(), begun.tree().edge(level).end());
        growing_tree again{static_cast<std::int64_t>(size), edge};
        EXPECT_EQ(again.root(), begun.tree().root());
        for (std::size_t i = size; i < leaves.size(); ++i)
            again.add(leaves[i], [](int, std::int64_t, std::span<digest const>) {});
        EXPECT_EQ(again.root(), whole_tree{leaves}.tree().root()) << size;
    }
    EXPECT_THROW((growing_tree{5, {{leaves[0]}}}), std::invalid_argument);
}

TEST(MerkleProof, LeadsFromEveryLeafToTheRoot) {
    auto const leaves = some_leaves(600);
    whole_tree const tree{leaves};
    std::mt19937 random{20261121};
    for (std::int64_t const size : {1, 2, 3, 255, 256, 257, 511, 512, 513, 600}) {
        auto const root = root_by_definition({leaves.data(), static_cast<std::size_t>(size)});
        EXPECT_EQ(root_of(size, tree.reader()).value(), root);
        for (std::int64_t index = 0; index < size; index += 1 + static_cast<std::int64_t>(random() % 9)) {
            auto proof = inclusion_proof(index, size, tree.reader()).value();
            auto const& leaf = leaves[static_cast<std::size_t>(index)];
            ASSERT_TRUE(proves_inclusion(proof, index, size, leaf, root)) << index << " of " << size;
            EXPECT_FALSE(proves_inclusion(proof, index, size, root, root) && size > 1);
            EXPECT_FALSE(proves_inclusion(proof, index + 1, size, leaf, root));
            if (proof.empty()) continue;
            proof[random() % proof.size()][random() % 32] ^= 1;
            EXPECT_FALSE(proves_inclusion(proof, index, size, leaf, root));
            proof.pop_back();
            EXPECT_FALSE(proves_inclusion(proof, index, size, leaf, root));
        }
    }
}

TEST(MerkleProof, LeadsFromEveryEarlierTreeToThisOne) {
    auto const leaves = some_leaves(600);
    whole_tree const tree{leaves};
    auto const root_at = [&](std::int64_t size) {
        return root_by_definition({leaves.data(), static_cast<std::size_t>(size)});
    };
    std::mt19937 random{20261121};
    for (std::int64_t const size : {1, 2, 7, 8, 256, 300, 513, 600}) {
        auto const root = root_at(size);
        for (std::int64_t old = 1; old <= size; old += 1 + static_cast<std::int64_t>(random() % 13)) {
            auto proof = consistency_proof(old, size, tree.reader()).value();
            ASSERT_TRUE(proves_consistency(proof, old, size, root_at(old), root)) << old << " to " << size;
            EXPECT_EQ(proves_consistency(proof, old, size, root, root), old == size);
            if (proof.empty()) continue;
            proof[random() % proof.size()][random() % 32] ^= 1;
            EXPECT_FALSE(proves_consistency(proof, old, size, root_at(old), root));
        }
    }
}

TEST(TilePath, IsWrittenAndReadAsTheStandardHasIt) {
    std::vector<std::pair<tile_address, std::string>> const cases{
        {{false, 0, 0, 256}, "tile/0/000"},
        {{false, 1, 67, 8}, "tile/1/067.p/8"},
        {{false, 0, 1234067, 256}, "tile/0/x001/x234/067"},
        {{true, 0, 1234067, 112}, "tile/entries/x001/x234/067.p/112"},
        {{false, 7, 1000, 255}, "tile/7/x001/000.p/255"},
    };
    for (auto const& [address, path] : cases) {
        EXPECT_EQ(to_path(address), path);
        EXPECT_EQ(parse_tile_path(path), address) << path;
    }
}

TEST(TilePath, IsRefusedInAnyOtherForm) {
    for (std::string const path : {"",
                                   "tile",
                                   "tile/",
                                   "tile/0",
                                   "tile/0/",
                                   "tile/0/0",
                                   "tile/0/0000",
                                   "tile/00/000",
                                   "tile/8/000",
                                   "tile/-1/000",
                                   "tile/0/x000/000",
                                   "tile/0/x001",
                                   "tile/0/000.p",
                                   "tile/0/000.p/",
                                   "tile/0/000.p/0",
                                   "tile/0/000.p/256",
                                   "tile/0/000.p/08",
                                   "tile/0/000/",
                                   "tile/0/000/1",
                                   "tile/0/000.p/8/",
                                   "tile/0/+00",
                                   "tile/entries/00a",
                                   "tile/data/000",
                                   "/tile/0/000",
                                   "tile/0/x999/x999/x999/x999/x999/x999/x999/x999/x999/999"})
        EXPECT_EQ(parse_tile_path(path), std::nullopt) << path;
}

}  // namespace
}  // namespace linkledger::test
