#pragma once
// Rows of C++ values as a table that SQL can read: what `{values}` of sql::connection stands for in SQLite.
//
// A virtual table reads the rows where they lie. A VALUES list of bound parameters would be compiled anew for
// every number of rows, and JSON can hold no bytes.

#include "eventlog/sql/connection.h"

#include <sqlite3.h>

#include <string_view>
#include <vector>

namespace linkledger::sql::sqlite {

inline constexpr std::string_view values_table = "linkledger_values";
inline constexpr std::size_t values_columns_max = 64;

/// The rows that the table shows for now.
struct offered_values {
    std::vector<parameters> const* rows = nullptr;
};

/// Makes the table known to a connection; `shown` must live as long as the connection.
void register_values(sqlite3* on, offered_values& shown);

/// Shows rows for the time of a statement. Throws sql::error when a row has not `width` values.
class values_scope {
public:
    values_scope(offered_values& in, std::vector<parameters> const& rows, std::size_t width);
    ~values_scope() { in_.rows = nullptr; }
    values_scope(values_scope const&) = delete;
    values_scope& operator=(values_scope const&) = delete;

private:
    offered_values& in_;
};

}  // namespace linkledger::sql::sqlite
