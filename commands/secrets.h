#pragma once
// Secrets that are made here and shown once: invitation tokens and API keys. Only their SHA-256 is kept.

#include "domain/api_key/api_key.h"
#include "eventlog/crypto.h"

#include <string>
#include <string_view>

namespace linkledger::commands {

inline constexpr std::size_t api_key_characters_min = 20;
inline constexpr std::size_t api_key_characters_max = 255;

/// 187 bits.
[[nodiscard]] inline std::string make_token() {
    return eventlog::random_base58(32);
}
/// `ll_` and 234 bits, of which the prefix holds 52.
[[nodiscard]] inline std::string make_api_key() {
    return "ll_" + eventlog::random_base58(40);
}
[[nodiscard]] inline std::string hash_secret(std::string_view secret) {
    return eventlog::to_hex(eventlog::sha256(secret));
}
[[nodiscard]] inline std::string prefix_of(std::string_view api_key) {
    return std::string{api_key.substr(0, domain::api_key::prefix_characters)};
}

}  // namespace linkledger::commands
