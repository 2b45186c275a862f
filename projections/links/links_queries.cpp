// The SQL of the links read model's queries.

#include "projections/links/links_queries.h"

#include "projections/fold.h"
#include "projections/links/countries.h"
#include "projections/sql_text.h"

#include <unordered_map>

namespace linkledger::projections::links {
namespace {

constexpr std::string_view columns =
    "l.id, l.workspace_id, l.user_id, l.domain_id, l.url, l.short_code, l.title, l.description, "
    "l.favicon_url, "
    "l.og_image_url, l.is_active, l.has_password, l.expires_at, l.max_clicks, l.utm_source, l.utm_medium, "
    "l.utm_campaign, l.utm_term, l.utm_content, l.total_clicks, l.unique_clicks, l.created_at, l.updated_at, "
    "l.deleted_at";

/// What version 2 adds.
constexpr std::string_view newer_columns = ", l.clicks_by_country";
constexpr int newer_column = 24;

std::string columns_of(int version) {
    return version >= 2 ? std::string{columns} + std::string{newer_columns} : std::string{columns};
}

link_row read_link(sql::row const& r, int version) {
    link_row link;
    link.id = {r.id(0)};
    link.workspace_id = {r.id(1)};
    link.user_id = {r.id(2)};
    if (auto const domain = r.id_or_null(3)) link.domain_id = domain::domain_id{*domain};
    link.url = r.text(4);
    link.short_code = r.text(5);
    link.title = r.text_or_null(6);
    link.description = r.text_or_null(7);
    link.favicon_url = r.text_or_null(8);
    link.og_image_url = r.text_or_null(9);
    link.is_active = r.boolean(10);
    link.has_password = r.boolean(11);
    link.expires_at = r.time_or_null(12);
    link.max_clicks = r.integer_or_null(13);
    link.utm_source = r.text_or_null(14);
    link.utm_medium = r.text_or_null(15);
    link.utm_campaign = r.text_or_null(16);
    link.utm_term = r.text_or_null(17);
    link.utm_content = r.text_or_null(18);
    link.total_clicks = r.integer(19);
    link.unique_clicks = r.integer(20);
    link.created_at = r.time(21);
    link.updated_at = r.time(22);
    link.deleted_at = r.time_or_null(23);
    if (version >= 2) link.clicks_by_country = parse_countries(r.text(newer_column));
    return link;
}

void add_tags(snapshot const& now, std::vector<link_row>& links) {
    sql::connection& rows = now.rows;
    if (links.empty()) return;
    std::unordered_map<domain::uuid, link_row*> by_id;
    std::vector<domain::uuid> ids;
    for (auto& link : links) {
        by_id.emplace(link.id.value, &link);
        ids.push_back(link.id.value);
    }
    rows.query(
        at_version(
            "SELECT k.link_id, t.name FROM link_tags_vN AS k JOIN tags_vN AS t ON t.id = k.tag_id WHERE " +
                is_one_of(rows.dialect(), "k.link_id", "$1") + " ORDER BY k.link_id, k.place",
            now.build.version),
        {json_array(ids)}, [&](sql::row const& r) { by_id.at(r.id(0))->tags.push_back(r.text(1)); });
}

conditions conditions_of(link_list_query const& query, sql::dialect dialect) {
    conditions which;
    if (!query.deleted_too) which.require("l.deleted_at IS NULL");
    if (query.workspaces && query.workspaces->size() == 1) {
        which.require("l.workspace_id = " + which.value(query.workspaces->front()));
    } else if (query.workspaces) {
        std::vector<domain::uuid> ids;
        for (auto const& workspace : *query.workspaces) ids.push_back(workspace.value);
        which.require(is_one_of(dialect, "l.workspace_id", which.value(json_array(ids))));
    }
    if (query.tag)
        which.require(
            "l.id IN (SELECT k.link_id FROM link_tags_vN AS k JOIN tags_vN AS t ON t.id = k.tag_id "
            "WHERE t.name = " +
            which.value(*query.tag) + ")");
    if (query.search && !query.search->empty())
        which.require(contains(dialect, "l.search_text", which.value(fold_case(*query.search))));
    return which;
}

/// A condition may have a table of its own in it.
std::int64_t count_links(sql::connection& rows, conditions const& which, int version) {
    return rows
        .query_one(at_version("SELECT count(*) FROM links_vN AS l" + which.where(), version), which.values(),
                   [](sql::row const& r) { return r.integer(0); })
        .value_or(0);
}

std::string order_of(link_list_query const& query) {
    std::string const way = query.order == sort_order::asc ? " ASC" : " DESC";
    std::string const by_id = ", l.id" + way;
    switch (query.sort) {
        case link_sort::created_at:
            return "l.created_at" + way + by_id;
        case link_sort::total_clicks:
            return "l.total_clicks" + way + by_id;
        case link_sort::title:
            return "l.title_folded" + way + by_id;
    }
    return "l.id";
}

}  // namespace

page_of<link_row> list_links(snapshot const& now, link_list_query const& query) {
    sql::connection& rows = now.rows;
    int const version = now.build.version;
    conditions which = conditions_of(query, rows.dialect());
    page_of<link_row> page;
    page.page = query.page.page;
    page.per_page = query.page.per_page;
    page.total_count = count_links(rows, which, version);
    std::string text = "SELECT " + columns_of(version) + " FROM links_vN AS l" + which.where() +
                       " ORDER BY " + order_of(query);
    text += " LIMIT " + which.value(query.page.per_page);
    text += " OFFSET " + which.value(query.page.offset());
    page.items = rows.query_all(at_version(text, version), which.values(),
                                [&](sql::row const& r) { return read_link(r, version); });
    add_tags(now, page.items);
    return page;
}

std::optional<link_row> get_link(snapshot const& now, domain::link_id const& id) {
    int const version = now.build.version;
    auto found = now.rows.query_all(
        at_version("SELECT " + columns_of(version) + " FROM links_vN AS l WHERE l.id = $1", version),
        {id.value}, [&](sql::row const& r) { return read_link(r, version); });
    if (found.empty()) return std::nullopt;
    add_tags(now, found);
    return std::move(found.front());
}

}  // namespace linkledger::projections::links
