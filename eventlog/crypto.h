#pragma once
// The few cryptographic calls that the project makes, over libsodium and OpenSSL; nothing is invented here.

#include "eventlog/event_log.h"

namespace linkledger::eventlog {

[[nodiscard]] digest sha256(std::string_view bytes);
/// Lower-case hexadecimal.
[[nodiscard]] std::string to_hex(std::string_view bytes);
[[nodiscard]] std::string to_hex(digest const& bytes);
[[nodiscard]] std::optional<std::string> from_hex(std::string_view text);

/// HMAC-SHA-256 (RFC 2104).
[[nodiscard]] digest hmac_sha256(std::string_view key, std::string_view message);
/// Keyed BLAKE2b (RFC 7693) of 32 bytes under a 32-byte key: a pseudorandom function in a single pass, for
/// what every click computes.
[[nodiscard]] digest keyed_hash(std::string_view key, std::string_view message);
/// Compares in a time that does not depend on where they differ.
[[nodiscard]] bool equal_in_constant_time(std::string_view a, std::string_view b);

/// Cryptographically random bytes.
[[nodiscard]] std::string random_bytes(std::size_t count);
/// `count` random characters of the base58 alphabet, unbiased.
[[nodiscard]] std::string random_base58(std::size_t count);
[[nodiscard]] uuid new_uuid_v7();
[[nodiscard]] salt new_salt();
/// The system clock.
[[nodiscard]] timestamp now();

/// XChaCha20-Poly1305 under a 32-byte key with a random nonce: nonce || ciphertext || tag. `associated` is
/// authenticated and not stored.
[[nodiscard]] std::string seal_bytes(std::string_view key, std::string_view plain,
                                     std::string_view associated);
/// None: another key, other associated data, or altered bytes.
[[nodiscard]] std::optional<std::string> open_bytes(std::string_view key, std::string_view sealed,
                                                    std::string_view associated);

/// Argon2id in PHC string form with libsodium's interactive limits (64 MiB, 2 passes). Takes tens of
/// milliseconds: run it off the request threads.
[[nodiscard]] std::string hash_password(std::string_view password);
[[nodiscard]] bool verify_password(std::string_view phc, std::string_view password);

}  // namespace linkledger::eventlog
