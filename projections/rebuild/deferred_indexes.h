#pragma once
// Indexes of tables that are loaded: taken away before, made at once afterwards, which costs a fraction.

#include "eventlog/sql/connection.h"

#include <string>
#include <vector>

namespace linkledger::projections {

/// Drops the indexes of these tables, primary keys too where the database can (SQLite's are part
/// of the table). Returns the statements that make them again. Throws sql::error.
[[nodiscard]] std::vector<std::string> drop_indexes(std::vector<std::string> const& tables,
                                                    sql::connection& in);

}  // namespace linkledger::projections
