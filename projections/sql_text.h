#pragma once
// Small pieces of SQL that the projections and queries share, where the dialects differ or conditions vary.

#include "domain/ids.h"
#include "eventlog/sql/connection.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace linkledger::projections {

/// Combines lambdas into one visitor.
template <typename... Cases>
struct overloaded : Cases... {
    using Cases::operator()...;
};

/// SQL over tables that have several versions: `links_vN` becomes `links_v2`.
[[nodiscard]] std::string at_version(std::string_view text, int version);

/// Many ids as one parameter, for `is_one_of`.
[[nodiscard]] std::string json_array(std::vector<domain::uuid> const& ids);

/// `column` is among the ids of a `json_array` at `placeholder`.
[[nodiscard]] std::string is_one_of(sql::dialect dialect, std::string const& column,
                                    std::string const& placeholder);

/// `column` has the text at `placeholder` in it, byte by byte: no character is a wildcard.
[[nodiscard]] std::string contains(sql::dialect dialect, std::string const& column,
                                   std::string const& placeholder);

/// Conditions of a query and their values, in the order in which they are added.
class conditions {
public:
    /// Keeps a value and returns its placeholder.
    template <typename T>
    std::string value(T const& v) {
        values_.push_back(sql::bind(v));
        return "$" + std::to_string(values_.size());
    }
    void require(std::string condition) {
        text_ += (text_.empty() ? " WHERE " : " AND ") + std::move(condition);
    }

    /// Empty when nothing is required.
    [[nodiscard]] std::string const& where() const { return text_; }
    [[nodiscard]] sql::parameters const& values() const { return values_; }

private:
    std::string text_;
    sql::parameters values_;
};

/// `count(*)` of `from` (a table or a join).
[[nodiscard]] std::int64_t count_rows(sql::connection& rows, std::string const& from,
                                      conditions const& which);

}  // namespace linkledger::projections
