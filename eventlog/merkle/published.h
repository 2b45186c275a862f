#pragma once
// What the world sees of the tree: checkpoint, tiles, bundles of entries and proofs.

#include "eventlog/merkle/proof.h"
#include "eventlog/merkle/tile_path.h"
#include "eventlog/merkle/tree_store.h"

namespace linkledger::eventlog::merkle {

/// An inclusion proof in the form of C2SP tlog-proof, and the event it is about.
struct event_proof {
    recorded_event event;
    std::string text;
};

/// Everything is of the last signed head. Safe to call from any thread; calls block.
class published_log {
public:
    published_log(event_log& log, tree_store& store) : log_(log), store_(store) {}

    /// The last signed head of the log's present history; none before the first.
    result<std::optional<signed_head>> head();
    /// The hashes of a tile, 32 bytes each; none where the signed tree does not have it (yet).
    result<std::optional<std::string>> tile(tile_address const& at);
    /// A bundle of entries: each a length of two bytes, big-endian, and the commitment of 32 bytes, whose
    /// leaf hash (SHA-256(0x00 || entry)) is the event's.
    result<std::optional<std::string>> entries(tile_address const& at);
    /// None: the signed tree does not have it (yet).
    result<std::optional<event_proof>> proof(position at);

private:
    struct view {
        history of;
        std::int64_t size = 0;
        std::string checkpoint;
    };
    result<std::optional<view>> look();
    result<std::vector<digest>> hashes(history const& of, int level, std::int64_t number, std::int64_t width);

    event_log& log_;
    tree_store& store_;
};

/// Bytes of hashes, one after the other.
[[nodiscard]] std::string to_bytes(std::span<digest const> hashes);
/// The bundle of entries of these events.
[[nodiscard]] std::string bundle_of(std::span<recorded_event const> events);
/// The entries of a bundle; none where it is not made of `count` entries of 32 bytes.
[[nodiscard]] std::optional<std::vector<digest>> parse_bundle(std::string_view bundle, std::size_t count);
/// What is hashed into an event's leaf: the commitment to its stored bytes.
[[nodiscard]] digest entry_of(recorded_event const& event);

}  // namespace linkledger::eventlog::merkle
