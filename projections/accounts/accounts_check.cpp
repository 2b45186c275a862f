#include "projections/accounts/accounts_check.h"

#include "eventlog/codec.h"
#include "projections/accounts/accounts_projection.h"
#include "projections/sql_text.h"

#include <algorithm>
#include <array>

namespace linkledger::projections::accounts {
namespace {

namespace ev = domain;

constexpr std::array<std::string_view, 9> compared_types{
    "workspace.created", "workspace.renamed", "user.joined",     "member.role_changed", "member.removed",
    "user.registered",   "api_key.issued",    "api_key.revoked", "person.erased"};

std::string member_key(ev::workspace_id const& workspace, ev::user_id const& user) {
    return to_string(workspace) + " user " + to_string(user);
}

}  // namespace

accounts_check::accounts_check(read_store& store) {
    store.read("accounts", [&](snapshot const& now) {
        at_ = now.position;
        now.rows.query("SELECT id, name FROM workspaces_v1", {}, [&](sql::row const& r) {
            stored_.workspaces[domain::to_string(r.id(0))] = r.text(1);
        });
        now.rows.query(
            "SELECT workspace_id, user_id, role FROM workspace_members_v1", {},
            [&](sql::row const& r) { stored_.members[member_key({r.id(0)}, {r.id(1)})] = r.text(2); });
        now.rows.query("SELECT id, revoked_at FROM api_keys_v1", {}, [&](sql::row const& r) {
            stored_.keys[domain::to_string(r.id(0))] = r.is_null(1) ? "valid" : "revoked";
        });
        now.rows.query("SELECT id, deleted_at FROM users_v1", {}, [&](sql::row const& r) {
            stored_.users[domain::to_string(r.id(0))] = r.is_null(1) ? "known" : "erased";
        });
    });
}

eventlog::result<void> accounts_check::fold(eventlog::recorded_event const& event) {
    bool const is_read =
        std::find(compared_types.begin(), compared_types.end(), event.body.type) != compared_types.end();
    if (!is_read || event.position > at_) return boost::outcome_v2::success();
    BOOST_OUTCOME_TRY(auto const happened, eventlog::decode(event.body.type, event.body.schema_version,
                                                            event.body.data, std::nullopt));
    apply(happened);
    return boost::outcome_v2::success();
}

void accounts_check::apply(domain::event const& happened) {
    std::visit(
        overloaded{
            [&](ev::workspace::created const& e) {
                folded_.workspaces[to_string(e.workspace_id)] = e.name;
                folded_.members[member_key(e.workspace_id, e.owner_id)] = "owner";
            },
            [&](ev::workspace::renamed const& e) { folded_.workspaces[to_string(e.workspace_id)] = e.name; },
            [&](ev::workspace::joined const& e) {
                folded_.members[member_key(e.workspace_id, e.user_id)] = name_of(e.role);
            },
            [&](ev::workspace::role_changed const& e) {
                folded_.members[member_key(e.workspace_id, e.user_id)] = name_of(e.role);
            },
            [&](ev::workspace::member_removed const& e) {
                folded_.members.erase(member_key(e.workspace_id, e.user_id));
            },
            [&](ev::user::registered const& e) { folded_.users[to_string(e.user_id)] = "known"; },
            [&](ev::erasure::person_erased const& e) {
                if (e.user_id) folded_.users[to_string(*e.user_id)] = "erased";
            },
            [&](ev::api_key::issued const& e) { folded_.keys[to_string(e.api_key_id)] = "valid"; },
            [&](ev::api_key::revoked const& e) { folded_.keys[to_string(e.api_key_id)] = "revoked"; },
            [](auto const&) {}},
        happened);
}

void accounts_check::compare(std::function<void(std::string)> const& note) const {
    auto const held_against = [&](std::string const& what, values const& stored, values const& folded) {
        for (auto const& [key, value] : folded) {
            auto const found = stored.find(key);
            if (found == stored.end())
                note(what + " " + key + " is missing");
            else if (found->second != value)
                note(what + " " + key + " is \"" + found->second + "\", the log has \"" + value + "\"");
        }
        for (auto const& [key, value] : stored)
            if (!folded.contains(key)) note(what + " " + key + " is not in the log");
    };
    held_against("workspace", stored_.workspaces, folded_.workspaces);
    held_against("member of workspace", stored_.members, folded_.members);
    held_against("API key", stored_.keys, folded_.keys);
    held_against("user", stored_.users, folded_.users);
}

}  // namespace linkledger::projections::accounts
