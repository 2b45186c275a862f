// Reads of the read models. Rows become JSON on the thread that read them.

#include "api/exchange.h"
#include "api/handlers.h"
#include "api/json_text.h"
#include "eventlog/json_reflect.h"
#include "projections/accounts/accounts_queries.h"
#include "projections/clicks/clicks_queries.h"
#include "projections/links/links_queries.h"

namespace linkledger::api {

namespace {

namespace accounts = projections::accounts;
namespace clicks = projections::clicks;
namespace links = projections::links;

/// The value of a parameter that is a choice, checked before.
template <typename Enum>
[[nodiscard]] Enum choice_of(exchange const& x, std::string_view name, Enum otherwise) {
    if (auto const text = x.text(name)) json::detail::enum_from_name(*text, otherwise);
    return otherwise;
}

[[nodiscard]] projections::page_request page_request_of(exchange const& x) {
    projections::page_request page;
    page.page = x.integer("page").value_or(page.page);
    page.per_page = x.integer("per_page").value_or(page.per_page);
    page.cursor = x.text("cursor");
    return page;
}

template <typename Id>
[[nodiscard]] std::optional<Id> strong(std::optional<domain::uuid> const& id) {
    return id ? std::optional<Id>{Id{*id}} : std::nullopt;
}

/// The user whose workspaces count; none for the first admin, who sees all.
[[nodiscard]] std::optional<domain::user_id> member(exchange const& x) {
    return x.who.root ? std::nullopt : std::optional{x.who.user_id};
}

/// One query on one read model, answered as JSON. `query` gives the text, or none: no such thing.
[[nodiscard]] awaitable<void> answer_query(
    exchange& x, std::string_view projection, std::string_view what,
    std::function<std::optional<std::string>(projections::snapshot const&)> query) {
    std::optional<std::string> text;
    std::function<void(projections::snapshot const&)> work = [&](projections::snapshot const& now) {
        text = query(now);
    };
    if (!co_await read_model(x, projection, std::move(work))) co_return;
    if (text)
        x.answer_json(std::move(*text));
    else
        x.refuse_unknown(what);
}

/// The link, when this caller may know of it; none: refused, and answered.
[[nodiscard]] awaitable<std::optional<links::link_row>> find_link(exchange& x) {
    std::optional<links::link_row> found;
    std::function<void(projections::snapshot const&)> work = [&](projections::snapshot const& rows) {
        found = links::get_link(rows, domain::link_id{x.id()});
    };
    if (!co_await read_model(x, "links", std::move(work))) co_return std::nullopt;
    if (!found) {
        x.refuse_unknown("link");
        co_return std::nullopt;
    }
    if (!co_await may_read(x, found->workspace_id)) co_return std::nullopt;
    co_return found;
}

/// Which workspaces' links a caller sees who names none. False: refused, and answered.
[[nodiscard]] awaitable<bool> choose_workspaces(exchange& x, links::link_list_query& query) {
    if (auto const wanted = strong<domain::workspace_id>(x.uuid("workspace_id"))) {
        query.workspaces = std::vector{*wanted};
        co_return co_await may_read(x, *wanted);
    }
    if (x.who.workspace_id) {
        query.workspaces = std::vector{*x.who.workspace_id};
        co_return co_await may_read(x, *x.who.workspace_id);
    }
    if (x.who.root) co_return true;
    std::function<void(projections::snapshot const&)> work = [&](projections::snapshot const& rows) {
        query.workspaces = accounts::workspaces_of(rows, x.who.user_id);
    };
    co_return co_await read_model(x, "accounts", std::move(work));
}

}  // namespace

awaitable<bool> may_read_link(exchange& x) {
    auto const found = co_await find_link(x);
    co_return found.has_value();
}

awaitable<void> list_workspaces(exchange& x) {
    accounts::workspace_list_query query;
    query.member = member(x);
    query.only = x.who.workspace_id;
    query.sort = choice_of(x, "sort", query.sort);
    query.order = choice_of(x, "order", query.order);
    query.page = page_request_of(x);
    auto work = [&](sql::connection& rows) -> std::optional<std::string> {
        return to_json_text(accounts::list_workspaces(rows, query));
    };
    co_await answer_query(x, "accounts", "workspace", std::move(work));
}

awaitable<void> get_workspace(exchange& x) {
    if (x.text("as_of")) co_return co_await get_workspace_as_of(x);
    domain::workspace_id const id{x.id()};
    if (!co_await may_read(x, id)) co_return;
    auto work = [&](sql::connection& rows) -> std::optional<std::string> {
        auto const row = accounts::get_workspace(rows, id, x.who.user_id);
        if (!row) return std::nullopt;
        return to_json_text(*row);
    };
    co_await answer_query(x, "accounts", "workspace", std::move(work));
}

awaitable<void> list_members(exchange& x) {
    accounts::member_list_query query;
    query.workspace_id = domain::workspace_id{x.id()};
    query.search = x.text("search");
    query.sort = choice_of(x, "sort", query.sort);
    query.order = choice_of(x, "order", query.order);
    query.page = page_request_of(x);
    if (!co_await may_read(x, query.workspace_id)) co_return;
    auto work = [&](sql::connection& rows) -> std::optional<std::string> {
        return to_json_text(accounts::list_members(rows, query));
    };
    co_await answer_query(x, "accounts", "workspace", std::move(work));
}

awaitable<void> list_invitations(exchange& x) {
    accounts::invitation_list_query query;
    query.workspace_id = domain::workspace_id{x.id()};
    query.open_only = x.boolean("open").value_or(false);
    query.sort = choice_of(x, "sort", query.sort);
    query.order = choice_of(x, "order", query.order);
    query.page = page_request_of(x);
    if (!co_await may_read(x, query.workspace_id)) co_return;
    auto work = [&](sql::connection& rows) -> std::optional<std::string> {
        return to_json_text(accounts::list_invitations(rows, query));
    };
    co_await answer_query(x, "accounts", "workspace", std::move(work));
}

awaitable<void> list_links(exchange& x) {
    links::link_list_query query;
    query.search = x.text("search");
    query.tag = x.text("tag");
    query.sort = choice_of(x, "sort", query.sort);
    query.order = choice_of(x, "order", query.order);
    query.deleted_too = x.boolean("deleted").value_or(false);
    query.page = page_request_of(x);
    if (!co_await choose_workspaces(x, query)) co_return;
    auto work = [&](projections::snapshot const& rows) -> std::optional<std::string> {
        return to_json_text(links::list_links(rows, query));
    };
    co_await answer_query(x, "links", "link", std::move(work));
}

awaitable<void> get_link(exchange& x) {
    if (x.text("as_of")) co_return co_await get_link_as_of(x);
    auto const found = co_await find_link(x);
    if (found) x.answer_json(to_json_text(*found));
}

awaitable<void> list_clicks(exchange& x) {
    auto const link = co_await find_link(x);
    if (!link) co_return;
    clicks::click_list_query query;
    query.link_id = link->id;
    query.is_bot = x.boolean("is_bot");
    query.from = x.time("from");
    query.to = x.time("to");
    query.order = choice_of(x, "order", query.order);
    query.page = page_request_of(x);
    auto work = [&](sql::connection& rows) -> std::optional<std::string> {
        return to_json_text(clicks::list_clicks(rows, query));
    };
    co_await answer_query(x, "clicks", "link", std::move(work));
}

awaitable<void> get_link_stats(exchange& x) {
    if (x.text("as_of")) co_return co_await get_link_stats_as_of(x);
    auto const link = co_await find_link(x);
    if (!link) co_return;
    clicks::stats_query query;
    query.link_id = link->id;
    query.from = x.time("from");
    query.to = x.time("to");
    query.interval = choice_of(x, "interval", query.interval);
    auto work = [&](sql::connection& rows) -> std::optional<std::string> {
        return to_json_text(clicks::get_stats(rows, query));
    };
    co_await answer_query(x, "clicks", "link", std::move(work));
}

}  // namespace linkledger::api
