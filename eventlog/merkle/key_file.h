#pragma once
// The file that holds the keys which sign heads: a line of base 64 (32 bytes) for each.

#include "eventlog/merkle/note.h"

namespace linkledger::eventlog::merkle {

/// Reads the file, or makes it with one new key and mode 0600 when there is none (safe when several processes
/// start at once). Every key signs; verifiers need to know one of them. To rotate: add a line, publish its
/// verifier key, and remove the old line once verifiers know the new one. Empty lines and lines that start
/// with `#` are passed over. A file that others may read, or that holds no key, is a failure that says so.
result<std::vector<signing_key>> load_or_create_signing_keys(std::string const& path);
/// The same, but a missing file is a failure.
result<std::vector<signing_key>> load_signing_keys(std::string const& path);

}  // namespace linkledger::eventlog::merkle
