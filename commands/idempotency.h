#pragma once
// Makes a retry under the same idempotency key return what the first try answered, secrets included, while
// the store holds nothing readable: id, fingerprint and seal all come from the caller's credential and key.

#include "commands/command_bus.h"
#include "eventlog/event_log.h"

#include <optional>
#include <string>
#include <string_view>

namespace linkledger::commands {

inline constexpr std::size_t idempotency_key_bytes_max = 255;

/// What is stored of an answer; position and version are the log's to say, but for a version that was known
/// before the append (0: it was not).
struct remembered_answer {
    std::string stream;
    eventlog::version version = 0;
    std::vector<std::string> events;
    std::string result;
};

/// One request's identity. HMAC-SHA-256 throughout, each use under a label of its own.
class idempotent_request {
public:
    /// `canonical_data`: the command's data in one spelling.
    idempotent_request(std::string_view credential, std::string_view key, std::string_view command,
                       std::string_view canonical_data);

    [[nodiscard]] eventlog::digest const& id() const { return id_; }
    [[nodiscard]] eventlog::digest const& fingerprint() const { return fingerprint_; }
    [[nodiscard]] eventlog::idempotency_entry to_entry(remembered_answer const& answer) const;
    /// None: these bytes were not sealed by this request.
    [[nodiscard]] std::optional<command_answer> to_answer(eventlog::replayed const& stored) const;

private:
    eventlog::digest id_;
    eventlog::digest fingerprint_;
    eventlog::digest seal_key_;
};

}  // namespace linkledger::commands
