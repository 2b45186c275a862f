// The SQL of the accounts read model's queries.

#include "projections/accounts/accounts_queries.h"

#include "projections/fold.h"
#include "projections/sql_text.h"

namespace linkledger::projections::accounts {
namespace {

std::optional<domain::role> parse_role(std::string const& text) {
    if (text == "viewer") return domain::role::viewer;
    if (text == "member") return domain::role::member;
    if (text == "admin") return domain::role::admin;
    if (text == "owner") return domain::role::owner;
    return std::nullopt;
}

domain::role role_of(sql::row const& r, int column) {
    return parse_role(r.text(column)).value_or(domain::role::viewer);
}

template <typename Row, typename Read>
page_of<Row> list_page(sql::connection& rows, std::string const& columns, std::string const& from,
                       std::string const& order, conditions which, page_request const& request,
                       Read const& read) {
    page_of<Row> page;
    page.page = request.page;
    page.per_page = request.per_page;
    page.total_count = count_rows(rows, from, which);
    std::string text = "SELECT " + columns + " FROM " + from + which.where() + " ORDER BY " + order;
    text += " LIMIT " + which.value(request.per_page);
    text += " OFFSET " + which.value(request.offset());
    page.items = rows.query_all(text, which.values(), read);
    return page;
}

std::string way_of(sort_order order) {
    return order == sort_order::asc ? " ASC" : " DESC";
}

// ---- Workspaces -------------------------------------------------------------------------------------------

/// The role of nobody (the nil user) is NULL.
constexpr std::string_view workspace_columns =
    "w.id, w.name, w.slug, w.owner_id, w.plan, w.created_at, w.updated_at, "
    "(SELECT count(*) FROM workspace_members_v1 AS n WHERE n.workspace_id = w.id), m.role";
constexpr std::string_view workspace_join =
    "workspaces_v1 AS w LEFT JOIN workspace_members_v1 AS m ON m.workspace_id = w.id AND m.user_id = $1";

workspace_row read_workspace(sql::row const& r) {
    workspace_row row;
    row.id = {r.id(0)};
    row.name = r.text(1);
    row.slug = r.text(2);
    row.owner_id = {r.id(3)};
    row.plan = r.text(4);
    row.created_at = r.time(5);
    row.updated_at = r.time(6);
    row.member_count = r.integer(7);
    if (!r.is_null(8)) row.role = role_of(r, 8);
    return row;
}

std::string order_of(workspace_list_query const& query) {
    auto const way = way_of(query.order);
    switch (query.sort) {
        case workspace_sort::created_at:
            return "w.created_at" + way + ", w.id" + way;
        case workspace_sort::name:
            return "w.name" + way + ", w.id" + way;
        case workspace_sort::slug:
            return "w.slug" + way;
    }
    return "w.id";
}

// ---- Members ----------------------------------------------------------------------------------------------

constexpr std::string_view member_columns =
    "m.id, m.workspace_id, m.user_id, m.role, u.email, u.name, m.invited_by, m.joined_at, m.created_at, "
    "m.updated_at";

member_row read_member(sql::row const& r) {
    member_row row;
    row.id = r.id(0);
    row.workspace_id = {r.id(1)};
    row.user_id = {r.id(2)};
    row.role = role_of(r, 3);
    row.email = r.text_or_null(4);
    row.name = r.text_or_null(5);
    if (auto const id = r.id_or_null(6)) row.invited_by = domain::user_id{*id};
    row.joined_at = r.time(7);
    row.created_at = r.time(8);
    row.updated_at = r.time(9);
    return row;
}

/// `search_text` begins with the name; e-mail addresses are folded by the database, being ASCII in the main.
std::string order_of(member_list_query const& query) {
    auto const way = way_of(query.order);
    std::string const last = ", m.joined_at, m.user_id";
    switch (query.sort) {
        case member_sort::joined_at:
            return "m.joined_at" + way + ", m.user_id" + way;
        case member_sort::name:
            return "coalesce(u.search_text, '')" + way + last;
        case member_sort::email:
            return "coalesce(lower(u.email), '')" + way + last;
        case member_sort::role:
            return "CASE m.role WHEN 'owner' THEN 3 WHEN 'admin' THEN 2 WHEN 'member' THEN 1 ELSE 0 END" +
                   way + last;
    }
    return "m.user_id";
}

// ---- Invitations ------------------------------------------------------------------------------------------

constexpr std::string_view invitation_columns =
    "id, workspace_id, email, role, invited_by, expires_at, accepted_at, revoked_at, created_at, updated_at";

invitation_row read_invitation(sql::row const& r) {
    invitation_row row;
    row.id = {r.id(0)};
    row.workspace_id = {r.id(1)};
    row.email = r.text_or_null(2);
    row.role = role_of(r, 3);
    row.invited_by = {r.id(4)};
    row.expires_at = r.time(5);
    row.accepted_at = r.time_or_null(6);
    row.revoked_at = r.time_or_null(7);
    row.created_at = r.time(8);
    row.updated_at = r.time(9);
    return row;
}

}  // namespace

page_of<workspace_row> list_workspaces(sql::connection& rows, workspace_list_query const& query) {
    conditions which;
    which.value(query.member.value_or(domain::user_id{}));  // $1, of the join
    which.require("w.deleted_at IS NULL");
    if (query.member) which.require("m.user_id IS NOT NULL");
    if (query.only) which.require("w.id = " + which.value(*query.only));
    std::string const from{workspace_join};
    return list_page<workspace_row>(rows, std::string{workspace_columns}, from, order_of(query), which,
                                    query.page, read_workspace);
}

std::optional<workspace_row> get_workspace(sql::connection& rows, domain::workspace_id const& id,
                                           std::optional<domain::user_id> const& member) {
    return rows.query_one("SELECT " + std::string{workspace_columns} + " FROM " +
                              std::string{workspace_join} + " WHERE w.id = $2 AND w.deleted_at IS NULL",
                          {member.value_or(domain::user_id{}).value, id.value}, read_workspace);
}

std::vector<domain::workspace_id> workspaces_of(sql::connection& rows, domain::user_id const& user) {
    return rows.query_all(
        "SELECT workspace_id FROM workspace_members_v1 WHERE user_id = $1 ORDER BY workspace_id",
        {user.value}, [](sql::row const& r) { return domain::workspace_id{r.id(0)}; });
}

page_of<member_row> list_members(sql::connection& rows, member_list_query const& query) {
    conditions which;
    which.require("m.workspace_id = " + which.value(query.workspace_id));
    if (query.search && !query.search->empty())
        which.require(contains(rows.dialect(), "u.search_text", which.value(fold_case(*query.search))));
    std::string const from = "workspace_members_v1 AS m LEFT JOIN users_v1 AS u ON u.id = m.user_id";
    return list_page<member_row>(rows, std::string{member_columns}, from, order_of(query), which, query.page,
                                 read_member);
}

page_of<invitation_row> list_invitations(sql::connection& rows, invitation_list_query const& query) {
    conditions which;
    which.require("workspace_id = " + which.value(query.workspace_id));
    if (query.open_only) which.require("accepted_at IS NULL AND revoked_at IS NULL");
    auto const way = way_of(query.order);
    std::string const column = query.sort == invitation_sort::expires_at ? "expires_at" : "created_at";
    return list_page<invitation_row>(rows, std::string{invitation_columns}, "invitations_v1",
                                     column + way + ", id" + way, which, query.page, read_invitation);
}

}  // namespace linkledger::projections::accounts
