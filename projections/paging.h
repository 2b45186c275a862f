#pragma once
// Pages of lists, as every read model's queries take and give them.

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace linkledger::projections {

enum class sort_order { asc, desc };
BOOST_DESCRIBE_ENUM(sort_order, asc, desc)

/// Which part of a list. Checked at the edge: page from 1, per_page from 1 to 100.
struct page_request {
    std::int64_t page = 1;
    std::int64_t per_page = 20;
    /// The `cursor` of the page before, in place of `page`, where a list offers one: constant cost however
    /// deep. One that this list did not give means the first page.
    std::optional<std::string> cursor{};

    [[nodiscard]] std::int64_t offset() const { return (page - 1) * per_page; }
};

/// A page, and how many rows there are in all.
template <typename Row>
struct page_of {
    std::vector<Row> items;
    std::int64_t page = 1;
    std::int64_t per_page = 20;
    std::int64_t total_count = 0;
    std::optional<std::string> cursor;  ///< Of the next page, where the list offers cursors and goes on.

    BOOST_DESCRIBE_CLASS(page_of, (), (items, page, per_page, total_count, cursor), (), ())
};

}  // namespace linkledger::projections
