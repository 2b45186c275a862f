#pragma once
// The paths of C2SP tlog-tiles: `tile/<L>/<N>[.p/<W>]` and `tile/entries/<N>[.p/<W>]`.

#include "eventlog/merkle/tree.h"

namespace linkledger::eventlog::merkle {

struct tile_address {
    bool is_entries = false;  ///< A bundle of entries; then `level` is 0.
    int level = 0;
    std::int64_t number = 0;
    std::int64_t width = tile_width;  ///< Below 256: a partial tile.

    bool operator==(tile_address const&) const = default;
};

/// `tile/0/x001/x234/067.p/8`
[[nodiscard]] std::string to_path(tile_address const& tile);
/// None: not the path of a tile, in just this form.
[[nodiscard]] std::optional<tile_address> parse_tile_path(std::string_view path);

}  // namespace linkledger::eventlog::merkle
