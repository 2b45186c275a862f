#pragma once
// What a request says of a click, made safe to store: headers and queries come from anyone and hold anything.

#include "commands/command_bus.h"

#include <optional>
#include <string>
#include <string_view>

namespace linkledger::commands {

inline constexpr std::size_t referer_bytes_max = 2'048;
inline constexpr std::size_t utm_bytes_max = 255;

/// Valid UTF-8 without control characters, of `bytes_max` bytes at most (never cut within a character). What
/// is not UTF-8 becomes U+FFFD.
[[nodiscard]] std::string clean_text(std::string_view text, std::size_t bytes_max);

struct utm_values {
    std::optional<std::string> source, medium, campaign;
};
/// From a request's query; the first of each name counts, empty ones don't.
[[nodiscard]] utm_values utm_of_query(std::string_view query);

/// The host of an http or https address, in lower case; none for anything else.
[[nodiscard]] std::optional<std::string> referer_domain(std::string_view referer);

/// The canonical form of an IPv4 or IPv6 address (one mapped into IPv6 is IPv4); none for anything else.
[[nodiscard]] std::optional<std::string> canonical_ip(std::string const& text);
/// What may be kept of a canonical address: nothing, its network (/24 or /48), or all of it.
[[nodiscard]] std::optional<std::string> kept_ip(std::optional<std::string> const& canonical, keep_ip keep);

/// Whether a text can be a short code at all; nothing else is ever looked up.
[[nodiscard]] bool is_short_code(std::string_view text);

}  // namespace linkledger::commands
