// An audit row for every event that a person or a key causes, with what was and what is.

#include "projections/audit_logs/audit_logs_projection.h"

#include "eventlog/json.h"
#include "eventlog/json_reflect.h"
#include "projections/sql_text.h"

#include <array>
#include <initializer_list>

namespace linkledger::projections::audit_logs {
namespace {

namespace ev = domain;
namespace bj = boost::json;

constexpr std::array<std::string_view, 19> types{
    "workspace.created",  "workspace.renamed",     "user.invited",        "user.joined",
    "invitation.revoked", "member.role_changed",   "member.removed",      "user.registered",
    "api_key.issued",     "api_key.revoked",       "link.created",        "link.updated",
    "link.disabled",      "link.enabled",          "link.deleted",        "link.restored",
    "person.erased",      "click_details.ordered", "click_details.erased"};
constexpr std::array<std::string_view, 1> table_names{"audit_logs_v1"};

/// What an event did to what. Old and new values are objects, or null.
struct audit_entry {
    std::string_view resource_type;
    domain::uuid resource_id;
    bj::value old_values;
    bj::value new_values;
};

[[nodiscard]] audit_entry describe(decoded_event const& event);
[[nodiscard]] sql::parameters to_row(decoded_event const& event);
void write(std::vector<sql::parameters>& rows, sql::connection& to);
void erase(ev::erasure::person_erased const& who, sql::connection& in);

}  // namespace

std::span<std::string_view const> audit_logs_projection::event_types() const {
    return types;
}

std::span<std::string_view const> audit_logs_projection::tables() const {
    return table_names;
}

void audit_logs_projection::apply(event_batch batch, sql::connection& transaction) {
    std::vector<sql::parameters> rows;
    rows.reserve(batch.size());
    for (auto const* event : batch) {
        rows.push_back(to_row(*event));
        auto const* erased = std::get_if<ev::erasure::person_erased>(&event->event);
        if (erased == nullptr) continue;
        write(rows, transaction);
        erase(*erased, transaction);
    }
    write(rows, transaction);
}

void audit_logs_projection::apply_in_any_order(event_batch batch, sql::connection& transaction) {
    std::vector<sql::parameters> rows;
    rows.reserve(batch.size());
    for (auto const* event : batch) rows.push_back(to_row(*event));
    write(rows, transaction);
}

namespace {

void write(std::vector<sql::parameters>& rows, sql::connection& to) {
    if (rows.empty()) return;
    to.copy_rows("audit_logs_v1",
                 {"id", "workspace_id", "user_id", "action", "resource_type", "resource_id", "old_values",
                  "new_values", "metadata", "ip_address", "user_agent", "created_at", "position"},
                 rows);
    rows.clear();
}

/// Name and address leave the values of a row, which then is as a rebuild makes it.
void erase_values(std::string const& which, sql::parameters const& values, sql::connection& in) {
    struct kept {
        domain::uuid id;
        std::string values;
    };
    auto const rows =
        in.query_all("SELECT id, new_values FROM audit_logs_v1 WHERE new_values IS NOT NULL AND " + which,
                     values, [](sql::row const& r) {
                         return kept{r.id(0), r.text(1)};
                     });
    for (auto const& row : rows) {
        std::string error;
        auto parsed = json::parse(row.values, error);
        if (!parsed || !parsed->is_object()) continue;
        for (auto const* const name : {"name", "email"})
            if (auto* const value = parsed->as_object().if_contains(name)) *value = nullptr;
        in.execute("UPDATE audit_logs_v1 SET new_values = $1 WHERE id = $2",
                   {bj::serialize(*parsed), row.id});
    }
}

/// What the person did stays; where from, and who it was, goes.
void erase(ev::erasure::person_erased const& who, sql::connection& in) {
    if (who.user_id) {
        in.execute(
            "UPDATE audit_logs_v1 SET ip_address = NULL, user_agent = NULL WHERE user_id = $1 AND "
            "(ip_address IS NOT NULL OR user_agent IS NOT NULL)",
            {who.user_id->value});
        erase_values("resource_type = 'user' AND resource_id = $1", {who.user_id->value}, in);
    }
    for (auto const& one : who.invitations)
        erase_values("resource_type = 'invitation' AND action = 'user.invited' AND resource_id = $1",
                     {one.invitation_id.value}, in);
}

/// All fields of an event but the named ones and the personal part, which is never shown as it is stored.
template <typename Event>
bj::value values_of(Event const& event, std::initializer_list<std::string_view> left_out = {}) {
    auto values = json::to_value(event).as_object();
    values.erase("personal");
    for (auto const name : left_out) values.erase(name);
    return values;
}

bj::value text_or_null(std::optional<std::string> const& text) {
    return text ? bj::value(*text) : bj::value(nullptr);
}

bj::value invited_values(ev::workspace::invited const& e) {
    auto values = values_of(e, {"token_hash", "workspace_id", "invitation_id"});
    values.as_object()["email"] = e.personal ? bj::value(e.personal->email) : bj::value(nullptr);
    return values;
}

bj::value registered_values(ev::user::registered const& e) {
    bj::object values;
    values["name"] = e.personal ? bj::value(e.personal->name) : bj::value(nullptr);
    values["email"] = e.personal ? text_or_null(e.personal->email) : bj::value(nullptr);
    return values;
}

audit_entry describe_workspace(ev::workspace::created const& e) {
    return {"workspace", e.workspace_id.value, nullptr, values_of(e, {"workspace_id"})};
}
audit_entry describe_workspace(ev::workspace::renamed const& e) {
    return {"workspace", e.workspace_id.value, bj::object{{"name", e.old_name}},
            bj::object{{"name", e.name}}};
}

bj::value role_value(domain::role role) {
    return bj::object{{"role", json::to_value(role)}};
}

audit_entry describe(decoded_event const& event) {
    std::string const at = domain::to_rfc3339(event.stored.recorded_at);
    return std::visit(
        overloaded{
            [](ev::workspace::created const& e) { return describe_workspace(e); },
            [](ev::workspace::renamed const& e) { return describe_workspace(e); },
            [](ev::workspace::invited const& e) {
                return audit_entry{"invitation", e.invitation_id.value, nullptr, invited_values(e)};
            },
            [](ev::workspace::joined const& e) {
                return audit_entry{"member", e.user_id.value, nullptr,
                                   values_of(e, {"workspace_id", "user_id"})};
            },
            [&](ev::workspace::invitation_revoked const& e) {
                return audit_entry{"invitation", e.invitation_id.value, bj::object{{"revoked_at", nullptr}},
                                   bj::object{{"revoked_at", at}}};
            },
            [](ev::workspace::role_changed const& e) {
                return audit_entry{"member", e.user_id.value, role_value(e.old_role), role_value(e.role)};
            },
            [](ev::workspace::member_removed const& e) {
                return audit_entry{"member", e.user_id.value, role_value(e.old_role), nullptr};
            },
            [](ev::user::registered const& e) {
                return audit_entry{"user", e.user_id.value, nullptr, registered_values(e)};
            },
            [](ev::api_key::issued const& e) {
                return audit_entry{"api_key", e.api_key_id.value, nullptr,
                                   values_of(e, {"key_hash", "api_key_id", "workspace_id"})};
            },
            [&](ev::api_key::revoked const& e) {
                return audit_entry{"api_key", e.api_key_id.value,
                                   bj::object{{"prefix", e.prefix}, {"revoked_at", nullptr}},
                                   bj::object{{"prefix", e.prefix}, {"revoked_at", at}}};
            },
            [](ev::link::created const& e) {
                return audit_entry{"link", e.link_id.value, nullptr,
                                   values_of(e, {"link_id", "workspace_id"})};
            },
            [](ev::link::updated const& e) {
                return audit_entry{"link", e.link_id.value, json::to_value(e.before),
                                   json::to_value(e.after)};
            },
            [](ev::link::disabled const& e) {
                return audit_entry{"link", e.link_id.value, bj::object{{"is_active", true}},
                                   bj::object{{"is_active", false}}};
            },
            [](ev::link::enabled const& e) {
                return audit_entry{"link", e.link_id.value, bj::object{{"is_active", false}},
                                   bj::object{{"is_active", true}}};
            },
            [&](ev::link::deleted const& e) {
                return audit_entry{"link", e.link_id.value,
                                   bj::object{{"short_code", e.short_code}, {"deleted_at", nullptr}},
                                   bj::object{{"short_code", e.short_code}, {"deleted_at", at}}};
            },
            [](ev::link::restored const& e) {
                return audit_entry{"link", e.link_id.value, nullptr,
                                   bj::object{{"short_code", e.short_code}, {"deleted_at", nullptr}}};
            },
            [&](ev::erasure::person_erased const& e) {
                // Of an invited person who never joined there is no id.
                return audit_entry{"user", e.user_id.value_or(ev::user_id{}).value, nullptr,
                                   bj::object{{"erased_at", at}}};
            },
            [](ev::erasure::details_ordered const& e) {
                return audit_entry{"click_details", e.workspace_id.value, nullptr,
                                   values_of(e, {"workspace_id"})};
            },
            [](ev::erasure::details_erased const& e) {
                return audit_entry{"click_details", e.workspace_id.value, nullptr,
                                   values_of(e, {"workspace_id", "days"})};
            },
            [](ev::click::clicked const&) { return audit_entry{}; },
            [](ev::click::settled const&) { return audit_entry{}; }},
        event.event);
}

sql::parameter json_or_null(bj::value const& value) {
    if (value.is_null()) return nullptr;
    return bj::serialize(value);
}

template <typename Id>
sql::parameter id_or_null(Id const& id) {
    if (id.is_nil()) return nullptr;
    return id;
}

sql::parameters to_row(decoded_event const& event) {
    auto const entry = describe(event);
    auto const& body = event.stored.body;
    return {body.event_id,
            id_or_null(body.workspace_id),
            sql::bind(event.metadata.actor.user_id),
            body.type,
            std::string{entry.resource_type},
            id_or_null(entry.resource_id),
            json_or_null(entry.old_values),
            json_or_null(entry.new_values),
            body.metadata,
            sql::bind(event.context.ip_address),
            sql::bind(event.context.user_agent),
            event.stored.recorded_at,
            event.stored.position};
}

}  // namespace
}  // namespace linkledger::projections::audit_logs
