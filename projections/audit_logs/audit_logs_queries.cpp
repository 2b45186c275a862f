// The SQL of the audit log's query.

#include "projections/audit_logs/audit_logs_queries.h"

#include "projections/cursor.h"
#include "projections/sql_text.h"

#include <boost/json/parse.hpp>

namespace linkledger::projections::audit_logs {
namespace {

constexpr std::string_view columns =
    "id, workspace_id, user_id, action, resource_type, resource_id, old_values, new_values, metadata, "
    "ip_address, "
    "user_agent, created_at";

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
    return row;
}

}  // namespace

page_of<audit_row> list_audit_logs(sql::connection& rows, audit_list_query const& query) {
    conditions which;
    if (query.workspace_id) which.require("workspace_id = " + which.value(*query.workspace_id));
    if (query.action) which.require("action = " + which.value(*query.action));
    if (query.user_id) which.require("user_id = " + which.value(*query.user_id));
    if (query.resource_type) which.require("resource_type = " + which.value(*query.resource_type));
    if (query.resource_id) which.require("resource_id = " + which.value(*query.resource_id));
    if (query.from) which.require("created_at >= " + which.value(*query.from));
    if (query.to) which.require("created_at < " + which.value(*query.to));
    return list_by_time<audit_row>(rows, {"audit_logs_v1", columns, "created_at", query.order}, which,
                                   query.page, read_audit, [](audit_row const& row) {
                                       return cursor{row.created_at, row.id};
                                   });
}

}  // namespace linkledger::projections::audit_logs
