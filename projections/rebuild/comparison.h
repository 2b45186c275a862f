#pragma once
// Two builds of a projection at one position: where their tables overlap, do they say the same?

#include "projections/projection.h"

#include <string>
#include <vector>

namespace linkledger::projections {

/// Compares, table by table and over the columns that both have, numbers of rows, sums of whole numbers, and
/// a hash over all rows that does not depend on their order. Returns a line for each table that differs;
/// empty: none does. `live` and `fresh` are inside of read transactions; neither holds a table in memory.
/// Throws sql::error.
[[nodiscard]] std::vector<std::string> compare_builds(projection const& live_version, sql::connection& live,
                                                      projection const& fresh_version,
                                                      sql::connection& fresh);

}  // namespace linkledger::projections
