#pragma once
// Reads of the audit log (projection `audit_logs`).

#include "domain/ids.h"
#include "domain/time.h"
#include "eventlog/sql/connection.h"
#include "projections/paging.h"

#include <boost/describe/class.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace linkledger::projections::audit_logs {

struct audit_row {
    domain::uuid id;  ///< The event's.
    std::optional<domain::workspace_id> workspace_id;
    std::optional<domain::user_id> user_id;  ///< Who did it.
    std::string action;                      ///< The event's type.
    std::string resource_type;               ///< workspace, member, invitation, user, api_key or link.
    std::optional<domain::uuid> resource_id;
    boost::json::value old_values;  ///< An object, or null.
    boost::json::value new_values;  ///< An object, or null.
    boost::json::value metadata;
    std::optional<std::string> ip_address;
    std::optional<std::string> user_agent;
    domain::timestamp created_at;
    std::int64_t position = 0;  ///< Of the event in the log, which rows are listed by.
};
BOOST_DESCRIBE_STRUCT(audit_row, (),
                      (id, workspace_id, user_id, action, resource_type, resource_id, old_values, new_values,
                       metadata, ip_address, user_agent, created_at, position))

struct audit_list_query {
    std::optional<domain::workspace_id> workspace_id;  ///< None: all, the events of no workspace included.
    std::optional<std::string> action;
    std::optional<domain::user_id> user_id;
    std::optional<std::string> resource_type;
    std::optional<domain::uuid> resource_id;
    std::optional<domain::timestamp> from;  ///< Inclusive.
    std::optional<domain::timestamp> to;    ///< Exclusive.
    sort_order order = sort_order::desc;    ///< By position, and so by created_at.
    page_request page{};                    ///< Cursors are offered.
};
[[nodiscard]] page_of<audit_row> list_audit_logs(sql::connection& rows, audit_list_query const& query);

/// Up to `limit` rows behind the position `after` (in the query's order; none: from the first on), without
/// counting them: to go through them all. The query's page is not looked at.
[[nodiscard]] std::vector<audit_row> read_audit_logs(sql::connection& rows, audit_list_query const& query,
                                                     std::optional<std::int64_t> after, std::int64_t limit);

}  // namespace linkledger::projections::audit_logs
