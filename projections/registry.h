#pragma once
// Every projection there is.

#include "projections/projection.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace linkledger::projections {

/// Each in the versions that this executable can fill and read: the current one first, then the one before
/// it, for as long as a database may have it live.
[[nodiscard]] std::vector<std::unique_ptr<projection>> create_all();

/// Their names, each once.
[[nodiscard]] std::vector<std::string> projection_names();

/// Throws unreadable_version when it is a projection of ours in a version that is not.
void require_readable(std::string_view name, int version);

}  // namespace linkledger::projections
