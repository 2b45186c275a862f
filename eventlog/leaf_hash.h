#pragma once
// The commitment to an event's stored bytes, which the Merkle tree of the audit log is built on.
//
//   body_hash  = SHA-256(salt || canonical body)
//   commitment = SHA-256(position || version || recorded_at || body_hash)
//   leaf_hash  = SHA-256(0x00 || commitment)                      (RFC 6962, section 2.1)
//
// The body hash is known to the writer before the lock is taken; only the short second step needs what the
// log assigns, so a database can compute it where it assigns positions. Integers are 8 bytes, big-endian,
// signed.

#include "eventlog/event_log.h"

namespace linkledger::eventlog {

/// Canonical body: "linkledger-event-v1" and then each field as an 8-byte length and its bytes, in this
/// order: stream, event_id (16 bytes), type, schema_version (8 bytes), workspace_id (16), data,
/// personal.key_id (16), personal.bytes, context.key_id (16), context.bytes, metadata, occurred_at in
/// microseconds (8).
[[nodiscard]] digest body_hash(std::string_view stream, event_body const& body);

/// SHA-256(position || version || recorded_at in microseconds || body_hash): 56 bytes in.
[[nodiscard]] digest commitment(position at, version v, timestamp recorded_at, digest const& body);

/// SHA-256(0x00 || commitment).
[[nodiscard]] digest leaf_hash(digest const& commitment);

/// The three steps over a stored event; compare with its `leaf_hash`.
[[nodiscard]] digest leaf_hash_of(recorded_event const& event);

}  // namespace linkledger::eventlog
