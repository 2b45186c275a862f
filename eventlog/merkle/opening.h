#pragma once
// The opening of a leaf's commitment as JSON: every stored field that eventlog/leaf_hash.h hashes, so that
// whoever has it can compute the leaf. Personal parts stay sealed.

#include "eventlog/event_log.h"

namespace linkledger::eventlog::merkle {

/// One line of JSON without a newline. Members: position, stream, version, recorded_at_us, event_id, type,
/// schema_version, workspace_id, occurred_at_us, salt (hexadecimal), data and metadata (their stored text as
/// a string), personal_key_id, personal, context_key_id, context (base 64), leaf_hash (base 64).
[[nodiscard]] std::string to_opening(recorded_event const& event);
/// None: not exactly what to_opening gives for some event; `error` says where.
[[nodiscard]] std::optional<recorded_event> parse_opening(std::string_view line, std::string& error);

}  // namespace linkledger::eventlog::merkle
