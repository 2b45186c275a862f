#pragma once
// Signed notes (C2SP signed-note) with Ed25519, and the checkpoint of a log as such a note (C2SP
// tlog-checkpoint).

#include "eventlog/event_log.h"

#include <span>

namespace linkledger::eventlog::merkle {

/// Base 64 of RFC 4648, section 4, with padding; decoding accepts nothing but what encoding gives.
[[nodiscard]] std::string to_base64(std::string_view bytes);
[[nodiscard]] std::string to_base64(digest const& hash);
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);
[[nodiscard]] std::optional<digest> digest_from_base64(std::string_view text);

/// A public key under a name, as verifiers know it: `<name>+<key id>+<base64(0x01 || public key)>`.
struct verifier_key {
    std::string name;
    std::string public_key;  ///< 32 bytes.

    /// The first four bytes of SHA-256(name || "\n" || 0x01 || public key).
    [[nodiscard]] std::string id() const;
    [[nodiscard]] std::string to_text() const;
    bool operator==(verifier_key const&) const = default;
};
/// None: not such a text, or its key id does not fit.
[[nodiscard]] std::optional<verifier_key> parse_verifier_key(std::string_view text);

/// An Ed25519 key: the seed of 32 bytes.
struct signing_key {
    std::string seed;

    [[nodiscard]] verifier_key verifier(std::string name) const;
    /// 64 bytes, the same for the same message.
    [[nodiscard]] std::string sign(std::string_view message) const;
};
[[nodiscard]] signing_key new_signing_key();

/// `text` ends with a newline and is followed by a blank line and a line of signature for each key.
[[nodiscard]] std::string sign_note(std::string const& text, std::string const& name,
                                    std::span<signing_key const> keys);

/// What a verified note says. None: it is not a note, a signature of a known key is wrong, or no known key
/// signed it. Signatures of unknown keys are passed over.
[[nodiscard]] std::optional<std::string> open_note(std::string_view note,
                                                   std::span<verifier_key const> known);

/// The head of a tree.
struct checkpoint {
    std::string origin;  ///< The log's name, unique for ever.
    std::int64_t size = 0;
    digest root{};

    bool operator==(checkpoint const&) const = default;
};
/// Three lines.
[[nodiscard]] std::string to_text(checkpoint const& head);
/// From the text of a note, or from the whole note, whose signatures are not looked at. Extension lines are
/// passed over.
[[nodiscard]] std::optional<checkpoint> parse_checkpoint(std::string_view text);

/// The origin of a history: `linkledger/<log id>/<epoch>`. Another epoch is another log to a verifier: no
/// two heads of one origin ever contradict each other.
[[nodiscard]] std::string origin_of(log_head const& log);

}  // namespace linkledger::eventlog::merkle
