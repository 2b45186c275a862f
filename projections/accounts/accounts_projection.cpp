// Folds accounts into net effects per row, which are then written as sets, table by table.

#include "projections/accounts/accounts_projection.h"

#include "projections/fold.h"
#include "projections/sql_text.h"

#include <array>
#include <map>
#include <optional>
#include <utility>

namespace linkledger::projections::accounts {
namespace {

namespace ev = domain;
using domain::timestamp;
using domain::uuid;

constexpr std::array<std::string_view, 11> types{
    "workspace.created",  "workspace.renamed",   "user.invited",   "user.joined",
    "invitation.revoked", "member.role_changed", "member.removed", "user.registered",
    "api_key.issued",     "api_key.revoked",     "person.erased"};
constexpr std::array<std::string_view, 5> table_names{"users_v1", "workspaces_v1", "workspace_members_v1",
                                                      "invitations_v1", "api_keys_v1"};

/// What a batch does to a member: a new row, another role, or gone.
struct member_effect {
    std::optional<sql::parameters> inserted;
    std::optional<std::pair<domain::role, timestamp>> role;
    bool removed = false;  ///< Before what the others say.
};

/// Rows by key, so that each is written once. The batch's own inserts are there before its updates.
struct batch_effects {
    std::map<uuid, sql::parameters> users, workspaces, invitations, api_keys;
    std::map<uuid, sql::parameters> renamed;  ///< workspace, name, updated_at
    std::map<std::pair<uuid, uuid>, member_effect> members;
    std::map<uuid, sql::parameters> accepted, revoked;  ///< invitation, at
    std::map<uuid, sql::parameters> revoked_keys;       ///< key, at
    std::map<uuid, sql::parameters> erased_users;       ///< user, at
    std::map<uuid, sql::parameters> erased_invitations;
};

void fold(batch_effects& into, decoded_event const& event);
void write(batch_effects const& effects, sql::connection& to);

}  // namespace

std::span<std::string_view const> accounts_projection::event_types() const {
    return types;
}

std::span<std::string_view const> accounts_projection::tables() const {
    return table_names;
}

void accounts_projection::apply(event_batch batch, sql::connection& transaction) {
    batch_effects effects;
    for (auto const* event : batch) fold(effects, *event);
    write(effects, transaction);
}

std::string name_of(domain::role role) {
    switch (role) {
        case domain::role::viewer:
            return "viewer";
        case domain::role::member:
            return "member";
        case domain::role::admin:
            return "admin";
        case domain::role::owner:
            return "owner";
    }
    return "viewer";
}

namespace {

// ---- Folding --------------------------------------------------------------------------------------------

std::string json_of(std::vector<domain::scope> const& scopes) {
    std::string text = "[";
    for (auto const scope : scopes) {
        if (text.size() > 1) text += ',';
        switch (scope) {
            case domain::scope::read:
                text += "\"read\"";
                break;
            case domain::scope::write:
                text += "\"write\"";
                break;
            case domain::scope::admin:
                text += "\"admin\"";
                break;
            case domain::scope::audit:
                text += "\"audit\"";
                break;
        }
    }
    return text + "]";
}

void join(batch_effects& into, uuid const& event_id, uuid const& workspace, uuid const& user,
          domain::role role, std::optional<domain::user_id> const& invited_by, timestamp at) {
    auto& member = into.members[{workspace, user}];
    member.inserted =
        sql::parameters{event_id, workspace, user, name_of(role), sql::bind(invited_by), at, at, at};
    member.role.reset();
}

void change_role(batch_effects& into, ev::workspace::role_changed const& e, timestamp at) {
    auto& member = into.members[{e.workspace_id.value, e.user_id.value}];
    if (member.inserted) {
        member.inserted->at(3) = name_of(e.role);
        member.inserted->at(7) = at;
    } else {
        member.role = {e.role, at};
    }
}

void remove(batch_effects& into, ev::workspace::member_removed const& e) {
    auto& member = into.members[{e.workspace_id.value, e.user_id.value}];
    member = {};
    member.removed = true;
}

void issue(batch_effects& into, ev::api_key::issued const& e, timestamp at) {
    into.api_keys[e.api_key_id.value] = {
        e.api_key_id.value, e.user_id.value, sql::bind(e.workspace_id), e.name, e.key_hash, e.prefix,
        json_of(e.scopes),  e.root,          sql::bind(e.expires_at),   at,     at};
}

void register_user(batch_effects& into, ev::user::registered const& e, timestamp at) {
    std::optional<std::string> email, name;
    if (e.personal) {
        email = e.personal->email;
        name = e.personal->name;
    }
    into.users[e.user_id.value] = {e.user_id.value,
                                   sql::bind(email),
                                   sql::bind(name),
                                   fold_case(name.value_or("") + '\n' + email.value_or("")),
                                   at,
                                   at};
}

void invite(batch_effects& into, ev::workspace::invited const& e, timestamp at) {
    std::optional<std::string> email;
    if (e.personal) email = e.personal->email;
    into.invitations[e.invitation_id.value] = {e.invitation_id.value,
                                               e.workspace_id.value,
                                               sql::bind(email),
                                               name_of(e.role),
                                               e.invited_by.value,
                                               e.token_hash,
                                               e.expires_at,
                                               at,
                                               at};
}

/// Rows as a rebuild makes them, whose events have no personal part any more.
void erase(batch_effects& into, ev::erasure::person_erased const& e, timestamp at) {
    if (e.user_id) into.erased_users[e.user_id->value] = {e.user_id->value, at};
    for (auto const& one : e.invitations)
        into.erased_invitations[one.invitation_id.value] = {one.invitation_id.value};
}

void fold(batch_effects& into, decoded_event const& event) {
    timestamp const at = event.stored.recorded_at;
    auto const& event_id = event.stored.body.event_id;
    std::visit(
        overloaded{[&](ev::workspace::created const& e) {
                       into.workspaces[e.workspace_id.value] = {
                           e.workspace_id.value, e.name, e.slug, e.owner_id.value, e.plan, at, at};
                       join(into, event_id, e.workspace_id.value, e.owner_id.value, domain::role::owner, {},
                            at);
                   },
                   [&](ev::workspace::renamed const& e) {
                       into.renamed[e.workspace_id.value] = {e.workspace_id.value, e.name, at};
                   },
                   [&](ev::workspace::invited const& e) { invite(into, e, at); },
                   [&](ev::workspace::joined const& e) {
                       join(into, event_id, e.workspace_id.value, e.user_id.value, e.role, e.invited_by, at);
                       into.accepted[e.invitation_id.value] = {e.invitation_id.value, at};
                   },
                   [&](ev::workspace::invitation_revoked const& e) {
                       into.revoked[e.invitation_id.value] = {e.invitation_id.value, at};
                   },
                   [&](ev::workspace::role_changed const& e) { change_role(into, e, at); },
                   [&](ev::workspace::member_removed const& e) { remove(into, e); },
                   [&](ev::user::registered const& e) { register_user(into, e, at); },
                   [&](ev::api_key::issued const& e) { issue(into, e, at); },
                   [&](ev::api_key::revoked const& e) {
                       into.revoked_keys[e.api_key_id.value] = {e.api_key_id.value, at};
                   },
                   [&](ev::erasure::person_erased const& e) { erase(into, e, at); }, [](auto const&) {}},
        event.event);
}

// ---- Writing --------------------------------------------------------------------------------------------

void write_set(std::map<uuid, sql::parameters> const& by_key, std::string const& sql,
               std::vector<std::string> const& value_types, sql::connection& to) {
    if (by_key.empty()) return;
    std::vector<sql::parameters> rows;
    for (auto const& [key, row] : by_key) rows.push_back(row);
    to.execute_values(sql, value_types, rows);
}

void write_members(batch_effects const& effects, sql::connection& to) {
    std::vector<sql::parameters> removed, inserted, changed;
    for (auto const& [key, member] : effects.members) {
        if (member.removed) removed.push_back({key.first, key.second});
        if (member.inserted) inserted.push_back(*member.inserted);
        if (member.role)
            changed.push_back({key.first, key.second, name_of(member.role->first), member.role->second});
    }
    if (!removed.empty())
        to.execute_values(
            "DELETE FROM workspace_members_v1 WHERE (workspace_id, user_id) IN "
            "(SELECT column1, column2 FROM {values} AS v)",
            {"uuid", "uuid"}, removed);
    if (!inserted.empty())
        to.execute_values(
            "INSERT INTO workspace_members_v1 (id, workspace_id, user_id, role, invited_by, joined_at, "
            "created_at, "
            "updated_at) SELECT column1, column2, column3, column4, column5, column6, column7, column8 "
            "FROM {values} AS v",
            {"uuid", "uuid", "uuid", "text", "uuid", "timestamptz", "timestamptz", "timestamptz"}, inserted);
    if (!changed.empty())
        to.execute_values(
            "UPDATE workspace_members_v1 SET role = v.column3, updated_at = v.column4 "
            "FROM {values} AS v WHERE workspace_members_v1.workspace_id = v.column1 "
            "AND workspace_members_v1.user_id = v.column2",
            {"uuid", "uuid", "text", "timestamptz"}, changed);
}

void write_users_and_workspaces(batch_effects const& effects, sql::connection& to) {
    write_set(effects.users,
              "INSERT INTO users_v1 (id, email, name, search_text, created_at, updated_at) "
              "SELECT column1, column2, column3, column4, column5, column6 FROM {values} AS v",
              {"uuid", "text", "text", "text", "timestamptz", "timestamptz"}, to);
    write_set(effects.workspaces,
              "INSERT INTO workspaces_v1 (id, name, slug, owner_id, plan, created_at, updated_at) "
              "SELECT column1, column2, column3, column4, column5, column6, column7 FROM {values} AS v",
              {"uuid", "text", "text", "uuid", "text", "timestamptz", "timestamptz"}, to);
    write_set(effects.renamed,
              "UPDATE workspaces_v1 SET name = v.column2, updated_at = v.column3 FROM {values} AS v "
              "WHERE workspaces_v1.id = v.column1",
              {"uuid", "text", "timestamptz"}, to);
}

void write_invitations(batch_effects const& effects, sql::connection& to) {
    write_set(
        effects.invitations,
        "INSERT INTO invitations_v1 (id, workspace_id, email, role, invited_by, token_hash, expires_at, "
        "created_at, updated_at) SELECT column1, column2, column3, column4, column5, column6, column7, "
        "column8, column9 FROM {values} AS v",
        {"uuid", "uuid", "text", "text", "uuid", "text", "timestamptz", "timestamptz", "timestamptz"}, to);
    write_set(effects.accepted,
              "UPDATE invitations_v1 SET accepted_at = v.column2, updated_at = v.column2 FROM {values} AS v "
              "WHERE invitations_v1.id = v.column1",
              {"uuid", "timestamptz"}, to);
    write_set(effects.revoked,
              "UPDATE invitations_v1 SET revoked_at = v.column2, updated_at = v.column2 FROM {values} AS v "
              "WHERE invitations_v1.id = v.column1",
              {"uuid", "timestamptz"}, to);
}

void write_api_keys(batch_effects const& effects, sql::connection& to) {
    write_set(
        effects.api_keys,
        "INSERT INTO api_keys_v1 (id, user_id, workspace_id, name, key_hash, key_prefix, scopes, is_root, "
        "expires_at, created_at, updated_at) SELECT column1, column2, column3, column4, column5, column6, "
        "column7, column8, column9, column10, column11 FROM {values} AS v",
        {"uuid", "uuid", "uuid", "text", "text", "text", "jsonb", "boolean", "timestamptz", "timestamptz",
         "timestamptz"},
        to);
    write_set(effects.revoked_keys,
              "UPDATE api_keys_v1 SET revoked_at = v.column2, updated_at = v.column2 FROM {values} AS v "
              "WHERE api_keys_v1.id = v.column1",
              {"uuid", "timestamptz"}, to);
}

void write_erasures(batch_effects const& effects, sql::connection& to) {
    write_set(effects.erased_users,
              "UPDATE users_v1 SET email = NULL, name = NULL, search_text = '\n', deleted_at = v.column2, "
              "updated_at = v.column2 FROM {values} AS v WHERE users_v1.id = v.column1",
              {"uuid", "timestamptz"}, to);
    write_set(effects.erased_invitations,
              "UPDATE invitations_v1 SET email = NULL FROM {values} AS v WHERE invitations_v1.id = v.column1",
              {"uuid"}, to);
}

void write(batch_effects const& effects, sql::connection& to) {
    write_users_and_workspaces(effects, to);
    write_members(effects, to);
    write_invitations(effects, to);
    write_api_keys(effects, to);
    write_erasures(effects, to);
}

}  // namespace
}  // namespace linkledger::projections::accounts
