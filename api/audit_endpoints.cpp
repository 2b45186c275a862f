// The audit log: pages of JSON, or all that the filters leave as CSV or NDJSON.

#include "api/exchange.h"
#include "api/handlers.h"
#include "api/json_text.h"
#include "commands/async.h"
#include "eventlog/json_reflect.h"
#include "projections/audit_logs/audit_logs_queries.h"
#include "projections/read_store.h"

#include <memory>

namespace linkledger::api {

namespace {

namespace audit = projections::audit_logs;

constexpr std::int64_t export_rows = 500;
constexpr std::string_view csv_header =
    "position,id,created_at,workspace_id,user_id,action,resource_type,resource_id,old_values,new_values,"
    "metadata,ip_address,user_agent\r\n";

enum class form { page, csv, ndjson };

[[nodiscard]] form form_of(request const& from) {
    auto const accept = from.header("Accept");
    if (accept.find("text/csv") != std::string_view::npos) return form::csv;
    if (accept.find("application/x-ndjson") != std::string_view::npos) return form::ndjson;
    return form::page;
}

/// A field of RFC 4180. What a spreadsheet would take for a formula gets an apostrophe before it.
void append_field(std::string& to, std::string_view text) {
    bool const is_formula =
        !text.empty() && std::string_view{"=+-@\t\r"}.find(text.front()) != std::string_view::npos;
    if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
        if (is_formula) to += '\'';
        to += text;
        return;
    }
    to += is_formula ? "\"'" : "\"";
    for (char const c : text) {
        if (c == '"') to += '"';
        to += c;
    }
    to += '"';
}

[[nodiscard]] std::string text_of(json::bj::value const& value) {
    return value.is_null() ? std::string{} : json::bj::serialize(value);
}

template <typename Id>
[[nodiscard]] std::string text_of(std::optional<Id> const& id) {
    return id ? to_string(*id) : std::string{};
}

void append_csv(std::string& to, audit::audit_row const& row) {
    std::array<std::string, 13> const fields{std::to_string(row.position),
                                             domain::to_string(row.id),
                                             domain::to_rfc3339(row.created_at),
                                             text_of(row.workspace_id),
                                             text_of(row.user_id),
                                             row.action,
                                             row.resource_type,
                                             text_of(row.resource_id),
                                             text_of(row.old_values),
                                             text_of(row.new_values),
                                             text_of(row.metadata),
                                             row.ip_address.value_or(""),
                                             row.user_agent.value_or("")};
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (i > 0) to += ',';
        append_field(to, fields[i]);
    }
    to += "\r\n";
}

struct audit_export {
    shared_state& shared;
    audit::audit_list_query query;
    form how = form::csv;
    std::optional<std::int64_t> after{};
};

/// The next rows as text; empty at the end. Throws when the read model is away: a list must not look
/// complete.
[[nodiscard]] std::string next_rows(audit_export& of) {
    std::string text;
    of.shared.on.reads.read("audit_logs", [&](projections::snapshot const& now) {
        auto const rows = audit::read_audit_logs(now.rows, of.query, of.after, export_rows);
        for (auto const& row : rows) {
            if (of.how == form::csv)
                append_csv(text, row);
            else
                text += to_json_text(row) + '\n';
            of.after = row.position;
        }
    });
    return text;
}

[[nodiscard]] awaitable<void> write_export(std::shared_ptr<audit_export> of, body_writer& to) {
    if (of->how == form::csv && !co_await to.write(csv_header)) co_return;
    while (!to.stopping()) {
        std::string text;
        std::exception_ptr problem;
        auto work = [&] {
            try {
                text = next_rows(*of);
            } catch (...) {
                problem = std::current_exception();
            }
            return true;
        };
        co_await commands::run_blocking(of->shared.blocking, std::move(work));
        if (problem) std::rethrow_exception(problem);
        if (text.empty()) co_return;
        if (!co_await to.write(text)) co_return;
    }
    throw std::runtime_error("the server stops before the list is complete");
}

[[nodiscard]] audit::audit_list_query query_of(exchange const& x) {
    audit::audit_list_query query;
    query.workspace_id = domain::workspace_id{x.id()};
    query.action = x.text("action");
    if (auto const user = x.uuid("user_id")) query.user_id = domain::user_id{*user};
    query.resource_type = x.text("resource_type");
    query.resource_id = x.uuid("resource_id");
    query.from = x.time("from");
    query.to = x.time("to");
    if (auto const order = x.text("order")) json::detail::enum_from_name(*order, query.order);
    query.page.page = x.integer("page").value_or(query.page.page);
    query.page.per_page = x.integer("per_page").value_or(query.page.per_page);
    query.page.cursor = x.text("cursor");
    return query;
}

}  // namespace

awaitable<void> list_audit_logs(exchange& x) {
    auto const query = query_of(x);
    if (!co_await may_read(x, *query.workspace_id)) co_return;
    auto const how = form_of(x.from);
    std::string text;
    std::function<void(sql::connection&)> work = [&](sql::connection& rows) {
        if (how != form::page) return;  // Asked all the same: the read model is there, and at `?after=`.
        auto const page = audit::list_audit_logs(rows, query);
        text = to_json_text(page);
    };
    if (!co_await read_model(x, "audit_logs", std::move(work))) co_return;
    if (how == form::page) {
        x.answer_json(std::move(text));
        co_return;
    }
    auto const of = std::make_shared<audit_export>(audit_export{x.shared, query, how, {}});
    bool const is_csv = how == form::csv;
    x.to.add_header("Content-Type",
                    is_csv ? "text/csv; charset=utf-8; header=present" : "application/x-ndjson");
    if (is_csv) x.to.add_header("Content-Disposition", "attachment; filename=\"audit-logs.csv\"");
    x.to.add_header("Cache-Control", "no-store");
    x.to.add_header("X-Content-Type-Options", "nosniff");
    x.to.stream = [of](body_writer& to) { return write_export(of, to); };
}

}  // namespace linkledger::api
