#pragma once
// Lists ordered by time, in pages by number or by cursor.

#include "domain/ids.h"
#include "domain/time.h"
#include "projections/paging.h"
#include "projections/sql_text.h"

#include <optional>
#include <string>
#include <string_view>

namespace linkledger::projections {

/// Where a page ended.
struct cursor {
    domain::timestamp at;
    domain::uuid id{};
};

[[nodiscard]] std::string to_text(cursor const& c);
[[nodiscard]] std::optional<cursor> parse_cursor(std::string_view text);

/// A table with an `id` that is listed by the time in one of its columns.
struct timed_list {
    std::string_view table;
    std::string_view columns;
    std::string_view time_column;
    sort_order order = sort_order::desc;
};

/// A statement's text, with its values.
struct page_statement {
    std::string text;
    sql::parameters values;
};
/// Asks for one row more than fits, which tells whether the list goes on.
[[nodiscard]] page_statement select_page(timed_list const& list, conditions which, page_request const& page);

template <typename Row, typename Read, typename CursorOf>
[[nodiscard]] page_of<Row> list_by_time(sql::connection& rows, timed_list const& list,
                                        conditions const& which, page_request const& request,
                                        Read const& read, CursorOf const& cursor_of) {
    page_of<Row> page;
    page.page = request.page;
    page.per_page = request.per_page;
    page.total_count = count_rows(rows, std::string{list.table}, which);
    auto const statement = select_page(list, which, request);
    page.items = rows.query_all(statement.text, statement.values, read);
    if (static_cast<std::int64_t>(page.items.size()) > request.per_page) {
        page.items.pop_back();
        page.cursor = to_text(cursor_of(page.items.back()));
    }
    return page;
}

}  // namespace linkledger::projections
