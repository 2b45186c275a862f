#include "eventlog/merkle/tile_path.h"

#include <fmt/format.h>

#include <charconv>

namespace linkledger::eventlog::merkle {
namespace {

constexpr std::string_view tile_prefix = "tile/";
constexpr std::string_view entries_name = "entries";
constexpr std::int64_t number_max = std::int64_t{1} << 55;

/// A decimal number without sign or leading zeroes.
std::optional<std::int64_t> parse_number(std::string_view text) {
    std::int64_t value = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
    if (text.size() > 1 && text.front() == '0') return std::nullopt;
    return value;
}

/// Takes what stands before the next slash, or all.
std::string_view take_segment(std::string_view& path) {
    auto const slash = path.find('/');
    auto const segment = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    return segment;
}

std::optional<std::int64_t> parse_group(std::string_view digits) {
    if (digits.size() != 3) return std::nullopt;
    std::int64_t value = 0;
    for (char const c : digits) {
        if (c < '0' || c > '9') return std::nullopt;
        value = value * 10 + (c - '0');
    }
    return value;
}

}  // namespace

std::string to_path(tile_address const& tile) {
    std::string number = fmt::format("{:03}", tile.number % 1000);
    for (std::int64_t rest = tile.number / 1000; rest > 0; rest /= 1000)
        number = fmt::format("x{:03}/{}", rest % 1000, number);
    std::string path{tile_prefix};
    path += tile.is_entries ? std::string{entries_name} : std::to_string(tile.level);
    path += '/' + number;
    if (tile.width < tile_width) path += fmt::format(".p/{}", tile.width);
    return path;
}

std::optional<tile_address> parse_tile_path(std::string_view path) {
    std::string_view const whole = path;
    if (!path.starts_with(tile_prefix)) return std::nullopt;
    path.remove_prefix(tile_prefix.size());
    tile_address tile;
    auto const kind = take_segment(path);
    tile.is_entries = kind == entries_name;
    if (!tile.is_entries) {
        auto const level = parse_number(kind);
        if (!level || *level >= levels_max) return std::nullopt;
        tile.level = static_cast<int>(*level);
    }
    for (bool more = true; more;) {
        auto segment = take_segment(path);
        more = segment.starts_with('x');
        if (more) segment.remove_prefix(1);
        bool const is_partial = !more && segment.ends_with(".p");
        if (is_partial) segment.remove_suffix(2);
        auto const group = parse_group(segment);
        if (!group || tile.number > number_max / 1000) return std::nullopt;
        tile.number = tile.number * 1000 + *group;
        if (!is_partial) continue;
        auto const width = parse_number(take_segment(path));
        if (!width || *width < 1 || *width >= tile_width) return std::nullopt;
        tile.width = *width;
    }
    // What is written in another way (leading groups of zeroes, something behind) is not this tile's path.
    return to_path(tile) == whole ? std::optional{tile} : std::nullopt;
}

}  // namespace linkledger::eventlog::merkle
