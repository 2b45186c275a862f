#pragma once
// The process's log: text for people, JSON lines for machines, to standard error.

#include <string>

namespace linkledger::api {

/// Levels: trace, debug, info, warn, error, off. Formats: text, json. Throws std::invalid_argument that names
/// what is accepted. Secrets are the callers' business: credentials, tokens, passwords and query strings are
/// never handed to a logger.
void set_up_logging(std::string const& level, std::string const& format);

}  // namespace linkledger::api
