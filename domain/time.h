#pragma once
// Time as the log keeps it: microseconds since the Unix epoch, UTC, written as RFC 3339.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace linkledger::domain {

using timestamp = std::chrono::sys_time<std::chrono::microseconds>;

[[nodiscard]] constexpr std::int64_t to_unix_us(timestamp at) {
    return at.time_since_epoch().count();
}
[[nodiscard]] constexpr timestamp from_unix_us(std::int64_t us) {
    return timestamp{std::chrono::microseconds{us}};
}

/// `2026-11-21T03:08:19.123456Z`: always 27 characters for years 0000 to 9999, so text sorts as time does.
[[nodiscard]] std::string to_rfc3339(timestamp at);

/// Reads RFC 3339 with any offset and up to nine fractional digits (cut to microseconds), and PostgreSQL's
/// `2026-11-21 03:08:19.123456+00`. Leap seconds and dates that do not exist are refused.
[[nodiscard]] std::optional<timestamp> parse_timestamp(std::string_view text);

/// The UTC day as `2026-11-21`.
[[nodiscard]] std::string to_utc_day(timestamp at);

}  // namespace linkledger::domain
