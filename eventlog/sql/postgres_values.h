#pragma once
// Bound values and cells in the forms that PostgreSQL speaks.

#include "eventlog/sql/connection.h"

namespace linkledger::sql {

/// Text form of parameters; NULL is nothing. Throws error::kind::other for text with a zero byte, which
/// PostgreSQL cannot hold.
[[nodiscard]] std::vector<std::optional<std::string>> to_texts(parameters const& values);
[[nodiscard]] std::vector<char const*> to_pointers(std::vector<std::optional<std::string>> const& texts);

/// Rows as one array parameter per column.
struct value_table {
    std::string derived_table;        ///< `(SELECT unnest($1::uuid[]) AS column1, …)`
    std::vector<std::string> arrays;  ///< In binary form.
};
/// Rows `first` to before `last`. A column whose type has a binary form here and whose values fit it goes as
/// an array of that type, any other as text that the server casts.
[[nodiscard]] value_table to_value_table(std::vector<std::string> const& types,
                                         std::vector<parameters> const& rows, std::size_t first,
                                         std::size_t last);
/// Rows as COPY takes them in binary form; they must outlive it.
class copied_rows {
public:
    /// None: a column's type has no binary form here, or a value does not fit its column.
    [[nodiscard]] static std::optional<copied_rows> of(std::vector<std::string> const& types,
                                                       std::vector<parameters> const& rows);
    /// In pieces.
    void send(std::function<void(std::string_view)> const& to) const;

private:
    std::vector<parameters> const* rows_ = nullptr;
    std::vector<std::uint32_t> elements_;
};

/// `sql` with its `{values}` replaced.
[[nodiscard]] std::string with_values(std::string const& sql, std::string const& derived_table);

// Cells; each throws error::kind::other for text of another form.
[[nodiscard]] std::int64_t parse_integer(std::string_view cell);
[[nodiscard]] bool parse_boolean(std::string_view cell);
[[nodiscard]] double parse_real(std::string_view cell);
[[nodiscard]] std::string parse_bytea(std::string_view cell);
[[nodiscard]] domain::uuid parse_id(std::string_view cell);
[[nodiscard]] domain::timestamp parse_time(std::string_view cell);

/// Decodes `\x…` into `out`, which has room for (cell.size() - 2) / 2 bytes. False for another form.
bool parse_bytea_into(std::string_view cell, std::uint8_t* out);

}  // namespace linkledger::sql
