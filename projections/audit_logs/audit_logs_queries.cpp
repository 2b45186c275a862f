// The SQL of the audit log's query.

#include "projections/audit_logs/audit_logs_queries.h"

#include "projections/sql_text.h"

#include <boost/json/parse.hpp>

#include <charconv>

namespace linkledger::projections::audit_logs {
namespace {

constexpr std::string_view columns =
    "id, workspace_id, user_id, action, resource_type, resource_id, old_values, new_values, metadata, "
    "ip_address, "
    "user_agent, created_at, position";

boost::json::value read_json(sql::row const& r, int column) {
    if (r.is_null(column)) return nullptr;
    boost::system::error_code failed;
    auto value = boost::json::parse(r.text(column), failed);
    return failed ? boost::json::value(nullptr) : value;
}

audit_row read_audit(sql::row const& r) {
    audit_row row;
    row.id = r.id(0);
    if (auto const id = r.id_or_null(1)) row.workspace_id = domain::workspace_id{*id};
    if (auto const id = r.id_or_null(2)) row.user_id = domain::user_id{*id};
    row.action = r.text(3);
    row.resource_type = r.text(4);
    row.resource_id = r.id_or_null(5);
    row.old_values = read_json(r, 6);
    row.new_values = read_json(r, 7);
    row.metadata = read_json(r, 8);
    row.ip_address = r.text_or_null(9);
    row.user_agent = r.text_or_null(10);
    row.created_at = r.time(11);
    row.position = r.integer(12);
    return row;
}

conditions conditions_of(audit_list_query const& query) {
    conditions which;
    if (query.workspace_id) which.require("workspace_id = " + which.value(*query.workspace_id));
    if (query.action) which.require("action = " + which.value(*query.action));
    if (query.user_id) which.require("user_id = " + which.value(*query.user_id));
    if (query.resource_type) which.require("resource_type = " + which.value(*query.resource_type));
    if (query.resource_id) which.require("resource_id = " + which.value(*query.resource_id));
    if (query.from) which.require("created_at >= " + which.value(*query.from));
    if (query.to) which.require("created_at < " + which.value(*query.to));
    return which;
}

/// A cursor is the position of the page's last row.
std::optional<std::int64_t> parse_position(std::optional<std::string> const& cursor) {
    std::int64_t at = 0;
    if (!cursor) return std::nullopt;
    auto const [end, error] = std::from_chars(cursor->data(), cursor->data() + cursor->size(), at);
    if (error != std::errc{} || end != cursor->data() + cursor->size()) return std::nullopt;
    return at;
}

std::vector<audit_row> select(sql::connection& rows, conditions which, sort_order order,
                              std::optional<std::int64_t> after, std::int64_t limit, std::int64_t offset) {
    bool const rising = order == sort_order::asc;
    if (after) which.require(std::string{"position "} + (rising ? "> " : "< ") + which.value(*after));
    std::string text = "SELECT " + std::string{columns} + " FROM audit_logs_v1" + which.where() +
                       " ORDER BY position" + (rising ? " ASC" : " DESC");
    text += " LIMIT " + which.value(limit);
    if (offset > 0) text += " OFFSET " + which.value(offset);
    return rows.query_all(text, which.values(), read_audit);
}

}  // namespace

page_of<audit_row> list_audit_logs(sql::connection& rows, audit_list_query const& query) {
    conditions const which = conditions_of(query);
    page_of<audit_row> page;
    page.page = query.page.page;
    page.per_page = query.page.per_page;
    page.total_count = count_rows(rows, "audit_logs_v1", which);
    // One row more than fits tells whether the list goes on.
    page.items = select(rows, which, query.order, parse_position(query.page.cursor), query.page.per_page + 1,
                        query.page.cursor ? 0 : query.page.offset());
    if (static_cast<std::int64_t>(page.items.size()) > query.page.per_page) {
        page.items.pop_back();
        page.cursor = std::to_string(page.items.back().position);
    }
    return page;
}

std::vector<audit_row> read_audit_logs(sql::connection& rows, audit_list_query const& query,
                                       std::optional<std::int64_t> after, std::int64_t limit) {
    return select(rows, conditions_of(query), query.order, after, limit, 0);
}

}  // namespace linkledger::projections::audit_logs
