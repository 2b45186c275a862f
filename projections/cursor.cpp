// A cursor is the time and id of a page's last row, as text.

#include "projections/cursor.h"

namespace linkledger::projections {

std::string to_text(cursor const& c) {
    return domain::to_rfc3339(c.at) + "_" + domain::to_string(c.id);
}

std::optional<cursor> parse_cursor(std::string_view text) {
    auto const split = text.find('_');
    if (split == std::string_view::npos) return std::nullopt;
    auto const at = domain::parse_timestamp(text.substr(0, split));
    auto const id = domain::parse_uuid(text.substr(split + 1));
    if (!at || !id) return std::nullopt;
    return cursor{*at, *id};
}

page_statement select_page(timed_list const& list, conditions which, page_request const& page) {
    std::string const column{list.time_column};
    bool const rising = list.order == sort_order::asc;
    std::string const way = rising ? " ASC" : " DESC";
    auto const from = page.cursor ? parse_cursor(*page.cursor) : std::nullopt;
    if (from) {
        std::string condition = "(" + column + ", id) " + (rising ? ">" : "<") + " (" + which.value(from->at);
        condition += ", " + which.value(from->id) + ")";
        which.require(condition);
    }
    std::string text = "SELECT " + std::string{list.columns} + " FROM " + std::string{list.table} +
                       which.where() + " ORDER BY " + column + way + ", id" + way;
    text += " LIMIT " + which.value(page.per_page + 1);
    if (!page.cursor) text += " OFFSET " + which.value(page.offset());
    return {std::move(text), which.values()};
}

}  // namespace linkledger::projections
