#pragma once
// UUIDs (RFC 9562) and the strong types that name what a UUID identifies.

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace linkledger::domain {

/// A 128-bit UUID, compared byte by byte; version 7 UUIDs therefore sort by their time of creation.
struct uuid {
    std::array<std::uint8_t, 16> bytes{};

    auto operator<=>(uuid const&) const = default;

    /// True for the nil UUID, which stands for "none" in stored events.
    [[nodiscard]] bool is_nil() const { return bytes == std::array<std::uint8_t, 16>{}; }
};

/// The canonical form: 36 characters, lower-case hexadecimal.
[[nodiscard]] std::string to_string(uuid const& id);

/// Accepts the canonical form in either case; anything else is no UUID.
[[nodiscard]] std::optional<uuid> parse_uuid(std::string_view text);

/// A version 7 UUID (RFC 9562, section 5.7) from `unix_ms` and 10 random bytes, of which 74 bits are kept.
[[nodiscard]] uuid make_uuid_v7(std::int64_t unix_ms, std::array<std::uint8_t, 10> const& random);

/// A UUID that names one kind of thing: a link's id is not accepted where a user's is meant.
template <typename Tag>
struct strong_id {
    uuid value{};

    auto operator<=>(strong_id const&) const = default;
};

template <typename Tag>
[[nodiscard]] std::string to_string(strong_id<Tag> const& id) {
    return to_string(id.value);
}

using workspace_id = strong_id<struct workspace_tag>;
using user_id = strong_id<struct user_tag>;
using link_id = strong_id<struct link_tag>;
using domain_id = strong_id<struct domain_tag>;
using invitation_id = strong_id<struct invitation_tag>;
using api_key_id = strong_id<struct api_key_tag>;

}  // namespace linkledger::domain

template <>
struct std::hash<linkledger::domain::uuid> {
    std::size_t operator()(linkledger::domain::uuid const& id) const noexcept {
        // The last eight bytes of a version 7 UUID are random.
        std::uint64_t tail = 0;
        for (int i = 8; i < 16; ++i) tail = (tail << 8) | id.bytes[static_cast<std::size_t>(i)];
        return static_cast<std::size_t>(tail * 0x9E3779B97F4A7C15ULL);
    }
};

template <typename Tag>
struct std::hash<linkledger::domain::strong_id<Tag>> {
    std::size_t operator()(linkledger::domain::strong_id<Tag> const& id) const noexcept {
        return std::hash<linkledger::domain::uuid>{}(id.value);
    }
};
