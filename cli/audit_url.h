#pragma once
// A published log, as anyone sees it over HTTP, as something to verify.

#include "eventlog/merkle/verify.h"

#include <memory>
#include <string>

namespace linkledger::cli {

/// `url` is where `/log/checkpoint` is found, as in http://127.0.0.1:8080. Entries and tiles are compared;
/// events are not public. Throws command_failed for a URL that cannot be used (https needs a proxy).
[[nodiscard]] std::unique_ptr<eventlog::merkle::audit_source> open_published_log(std::string const& url);

}  // namespace linkledger::cli
