#pragma once
// Every projection there is.

#include "projections/projection.h"

#include <memory>
#include <vector>

namespace linkledger::projections {

[[nodiscard]] std::vector<std::unique_ptr<projection>> create_all();

}  // namespace linkledger::projections
