#pragma once
// Reads of the accounts read model (projection `accounts`): workspaces, members, invitations.

#include "domain/access.h"
#include "domain/ids.h"
#include "domain/time.h"
#include "eventlog/sql/connection.h"
#include "projections/paging.h"

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace linkledger::projections::accounts {

struct workspace_row {
    domain::workspace_id id;
    std::string name;
    std::string slug;
    domain::user_id owner_id;
    std::string plan;
    std::int64_t member_count = 0;
    std::optional<domain::role> role;  ///< Of the user that the query names, in this workspace.
    domain::timestamp created_at;
    domain::timestamp updated_at;

    bool operator==(workspace_row const&) const = default;
};
BOOST_DESCRIBE_STRUCT(workspace_row, (),
                      (id, name, slug, owner_id, plan, member_count, role, created_at, updated_at))

enum class workspace_sort { created_at, name, slug };
BOOST_DESCRIBE_ENUM(workspace_sort, created_at, name, slug)

struct workspace_list_query {
    std::optional<domain::user_id> member;     ///< Only workspaces of this user; none: all (the first admin).
    std::optional<domain::workspace_id> only;  ///< The one workspace of a bound key.
    workspace_sort sort = workspace_sort::created_at;
    sort_order order = sort_order::desc;
    page_request page{};
};
[[nodiscard]] page_of<workspace_row> list_workspaces(sql::connection& rows,
                                                     workspace_list_query const& query);

/// `role` is that of `member`, where given.
[[nodiscard]] std::optional<workspace_row> get_workspace(sql::connection& rows,
                                                         domain::workspace_id const& id,
                                                         std::optional<domain::user_id> const& member);

/// The workspaces a user belongs to.
[[nodiscard]] std::vector<domain::workspace_id> workspaces_of(sql::connection& rows,
                                                              domain::user_id const& user);

struct member_row {
    domain::uuid id;
    domain::workspace_id workspace_id;
    domain::user_id user_id;
    domain::role role = domain::role::member;
    std::optional<std::string> email;  ///< Empty: erased, or the first admin.
    std::optional<std::string> name;   ///< Empty: erased.
    std::optional<domain::user_id> invited_by;
    domain::timestamp joined_at;
    domain::timestamp created_at;
    domain::timestamp updated_at;

    bool operator==(member_row const&) const = default;
};
BOOST_DESCRIBE_STRUCT(member_row, (),
                      (id, workspace_id, user_id, role, email, name, invited_by, joined_at, created_at,
                       updated_at))

enum class member_sort { joined_at, name, email, role };
BOOST_DESCRIBE_ENUM(member_sort, joined_at, name, email, role)

struct member_list_query {
    domain::workspace_id workspace_id;
    std::optional<std::string> search;  ///< Found anywhere in name or e-mail, in any case.
    member_sort sort = member_sort::joined_at;
    sort_order order = sort_order::asc;
    page_request page{};
};
[[nodiscard]] page_of<member_row> list_members(sql::connection& rows, member_list_query const& query);

struct invitation_row {
    domain::invitation_id id;
    domain::workspace_id workspace_id;
    std::optional<std::string> email;  ///< Empty: erased.
    domain::role role = domain::role::member;
    domain::user_id invited_by;
    domain::timestamp expires_at;
    std::optional<domain::timestamp> accepted_at;
    std::optional<domain::timestamp> revoked_at;
    domain::timestamp created_at;
    domain::timestamp updated_at;

    bool operator==(invitation_row const&) const = default;
};
BOOST_DESCRIBE_STRUCT(invitation_row, (),
                      (id, workspace_id, email, role, invited_by, expires_at, accepted_at, revoked_at,
                       created_at, updated_at))

enum class invitation_sort { created_at, expires_at };
BOOST_DESCRIBE_ENUM(invitation_sort, created_at, expires_at)

struct invitation_list_query {
    domain::workspace_id workspace_id;
    bool open_only = false;  ///< Neither accepted nor revoked (they may have expired).
    invitation_sort sort = invitation_sort::created_at;
    sort_order order = sort_order::desc;
    page_request page{};
};
[[nodiscard]] page_of<invitation_row> list_invitations(sql::connection& rows,
                                                       invitation_list_query const& query);

}  // namespace linkledger::projections::accounts
