#include "domain/ids.h"

namespace linkledger::domain {
namespace {

constexpr char hex_digits[] = "0123456789abcdef";

/// By character; 16 where it is no digit.
constexpr std::array<std::uint8_t, 256> hex_values = [] {
    std::array<std::uint8_t, 256> values{};
    values.fill(16);
    for (std::uint8_t i = 0; i < 10; ++i) values[static_cast<std::size_t>('0' + i)] = i;
    for (std::uint8_t i = 0; i < 6; ++i) {
        values[static_cast<std::size_t>('a' + i)] = static_cast<std::uint8_t>(10 + i);
        values[static_cast<std::size_t>('A' + i)] = static_cast<std::uint8_t>(10 + i);
    }
    return values;
}();

std::uint8_t hex_value(char c) {
    return hex_values[static_cast<unsigned char>(c)];
}

/// Where the two digits of each byte stand.
constexpr std::array<std::uint8_t, 16> digits_at{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
constexpr std::array<std::uint8_t, 4> dashes_at{8, 13, 18, 23};

}  // namespace

std::string to_string(uuid const& id) {
    std::string text(36, '-');
    for (std::size_t i = 0; i < id.bytes.size(); ++i) {
        text[digits_at[i]] = hex_digits[id.bytes[i] >> 4];
        text[digits_at[i] + 1u] = hex_digits[id.bytes[i] & 15];
    }
    return text;
}

std::optional<uuid> parse_uuid(std::string_view text) {
    if (text.size() != 36) return std::nullopt;
    for (auto const at : dashes_at)
        if (text[at] != '-') return std::nullopt;
    uuid id;
    std::uint8_t seen = 0;
    for (std::size_t i = 0; i < id.bytes.size(); ++i) {
        auto const high = hex_value(text[digits_at[i]]);
        auto const low = hex_value(text[digits_at[i] + 1u]);
        seen |= high | low;
        id.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    if (seen > 15) return std::nullopt;
    return id;
}

uuid make_uuid_v7(std::int64_t unix_ms, std::array<std::uint8_t, 10> const& random) {
    uuid id;
    for (std::size_t i = 0; i < 6; ++i) {
        id.bytes[i] = static_cast<std::uint8_t>(unix_ms >> (8 * (5 - i)));
    }
    for (std::size_t i = 0; i < 10; ++i) id.bytes[6 + i] = random[i];
    id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0F) | 0x70);
    id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3F) | 0x80);
    return id;
}

}  // namespace linkledger::domain
