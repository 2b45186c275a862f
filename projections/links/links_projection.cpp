// Folds links by loading the rows that a batch touches, changing them in memory, and writing them back as
// sets.

#include "projections/links/links_projection.h"

#include "projections/links/countries.h"
#include "projections/links/link_fold.h"
#include "projections/links/links_rebuild.h"
#include "projections/links/visitor_key.h"
#include "projections/sql_text.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace linkledger::projections::links {
namespace {

namespace events = domain::link;
using domain::link_id;
using domain::timestamp;

/// What there is most of comes first: databases compare in this order.
constexpr std::array<std::string_view, 8> types{"link.clicked",  "link.created",  "link.updated",
                                                "link.disabled", "link.enabled",  "link.deleted",
                                                "link.restored", "clicks.settled"};
constexpr std::array<std::string_view, 4> tables_of_v1{"links_v1", "link_visitors_v1", "tags_v1",
                                                       "link_tags_v1"};
constexpr std::array<std::string_view, 4> tables_of_v2{"links_v2", "link_visitors_v2", "tags_v2",
                                                       "link_tags_v2"};

/// The tables of one version.
struct versioned {
    sql::connection& rows;
    int version;
    [[nodiscard]] std::string named(std::string_view text) const { return at_version(text, version); }
    [[nodiscard]] sql::dialect dialect() const { return rows.dialect(); }
    void execute(std::string const& text, sql::parameters const& values) const {
        rows.execute(at_version(text, version), values);
    }
    void execute_values(std::string const& text, std::vector<std::string> const& value_types,
                        std::vector<sql::parameters> const& table) const {
        rows.execute_values(at_version(text, version), value_types, table);
    }
};

[[nodiscard]] std::unordered_map<link_id, link_state> load_touched(event_batch batch, versioned const& from);
void write_links(batch_effects const& effects, versioned const& to);
void write_tags(batch_effects const& effects, versioned const& to);
void write_clicks(batch_effects const& effects, versioned const& to);

}  // namespace

std::span<std::string_view const> links_projection::event_types() const {
    return types;
}

std::span<std::string_view const> links_projection::tables() const {
    return version_ == 1 ? tables_of_v1 : tables_of_v2;
}

std::unique_ptr<sorted_fold> links_projection::create_sorted_fold(sql::dialect /*in*/) const {
    return links::create_sorted_fold(version_);
}

void links_projection::apply(event_batch batch, sql::connection& transaction) {
    versioned const tables{transaction, version_};
    batch_effects effects;
    effects.links = load_touched(batch, tables);
    for (auto const* event : batch) fold(effects, *event);
    write_links(effects, tables);
    write_tags(effects, tables);
    write_clicks(effects, tables);
    settle_visitors(effects.settled, transaction, version_);
}

namespace {

// ---- Loading --------------------------------------------------------------------------------------------

constexpr std::string_view select_links =
    "SELECT id, user_id, workspace_id, domain_id, url, short_code, title, description, favicon_url, "
    "og_image_url, "
    "is_active, has_password, expires_at, max_clicks, utm_source, utm_medium, utm_campaign, utm_term, "
    "utm_content, "
    "created_at, updated_at, deleted_at FROM links_vN WHERE ";

link_state read_link(sql::row const& r) {
    link_state link;
    link.user_id = {r.id(1)};
    link.workspace_id = {r.id(2)};
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
    link.created_at = r.time(19);
    link.updated_at = r.time(20);
    link.deleted_at = r.time_or_null(21);
    link.stored = true;
    return link;
}

/// The stored rows of links that the batch changes; those that it creates are not stored yet.
std::unordered_map<link_id, link_state> load_touched(event_batch batch, versioned const& from) {
    std::unordered_set<link_id> created;
    std::unordered_set<link_id> changed;
    for (auto const* event : batch) {
        std::visit(
            overloaded{[&](events::created const& e) { created.insert(e.link_id); },
                       [&](events::updated const& e) { changed.insert(e.link_id); },
                       [&](events::disabled const& e) { changed.insert(e.link_id); },
                       [&](events::enabled const& e) { changed.insert(e.link_id); },
                       [&](events::deleted const& e) { changed.insert(e.link_id); },
                       [&](events::restored const& e) { changed.insert(e.link_id); }, [](auto const&) {}},
            event->event);
    }
    std::vector<domain::uuid> wanted;
    for (auto const& id : changed) {
        if (!created.contains(id)) wanted.push_back(id.value);
    }
    std::unordered_map<link_id, link_state> found;
    if (wanted.empty()) return found;
    from.rows.query(from.named(select_links) + is_one_of(from.dialect(), "id", "$1"), {json_array(wanted)},
                    [&](sql::row const& r) { found.emplace(link_id{r.id(0)}, read_link(r)); });
    return found;
}

// ---- Writing --------------------------------------------------------------------------------------------

template <typename Key>
std::vector<sql::parameters> rows_of(std::map<Key, sql::parameters> const& by_key) {
    std::vector<sql::parameters> rows;
    rows.reserve(by_key.size());
    for (auto const& [key, row] : by_key) rows.push_back(row);
    return rows;
}

/// Takes the rows whose code moves out of the index of short codes, so that two links may exchange codes
/// within a batch, whatever the order in which they are written.
void free_moved_codes(batch_effects const& effects, versioned const& to) {
    std::vector<domain::uuid> moved;
    for (auto const& [id, link] : effects.links) {
        if (link.stored && link.code_moved) moved.push_back(id.value);
    }
    if (moved.empty()) return;
    to.execute("UPDATE links_vN SET deleted_at = created_at WHERE deleted_at IS NULL AND " +
                   is_one_of(to.dialect(), "id", "$1"),
               {json_array(moved)});
}

std::string names_of(std::span<char const* const> columns) {
    std::string names;
    for (auto const* each : columns) names += (names.empty() ? "" : ", ") + std::string{each};
    return names;
}

void write_links(batch_effects const& effects, versioned const& to) {
    if (effects.links.empty()) return;
    free_moved_codes(effects, to);
    std::vector<sql::parameters> rows;
    rows.reserve(effects.links.size());
    for (auto const& [id, link] : effects.links) rows.push_back(to_row(id, link));
    to.execute_values(
        "INSERT INTO links_vN (" + names_of(link_columns) +
            ") "
            "SELECT column1, column2, column3, column4, column5, column6, column7, column8, column9, "
            "column10, "
            "column11, column12, column13, column14, column15, column16, column17, column18, column19, "
            "column20, "
            "column21, column22, column23, column24 FROM {values} AS v WHERE true "
            "ON CONFLICT (id) DO UPDATE SET url = excluded.url, short_code = excluded.short_code, "
            "title = excluded.title, description = excluded.description, favicon_url = excluded.favicon_url, "
            "og_image_url = excluded.og_image_url, is_active = excluded.is_active, "
            "has_password = excluded.has_password, expires_at = excluded.expires_at, "
            "max_clicks = excluded.max_clicks, utm_source = excluded.utm_source, utm_medium = "
            "excluded.utm_medium, "
            "utm_campaign = excluded.utm_campaign, utm_term = excluded.utm_term, "
            "utm_content = excluded.utm_content, title_folded = excluded.title_folded, "
            "search_text = excluded.search_text, updated_at = excluded.updated_at, deleted_at = "
            "excluded.deleted_at",
        {"uuid", "uuid", "uuid",    "uuid",    "text",        "text",        "text",        "text",
         "text", "text", "boolean", "boolean", "timestamptz", "bigint",      "text",        "text",
         "text", "text", "text",    "text",    "text",        "timestamptz", "timestamptz", "timestamptz"},
        rows);
}

void write_tags(batch_effects const& effects, versioned const& to) {
    std::vector<domain::uuid> untagged;
    std::map<std::pair<domain::uuid, domain::uuid>, sql::parameters> link_tags;
    for (auto const& [id, link] : effects.links) {
        if (!link.tags) continue;
        if (link.stored) untagged.push_back(id.value);
        std::int64_t place = 0;
        for (auto const& name : *link.tags) {
            auto const tag = tag_id(link.workspace_id, name);
            link_tags.try_emplace({id.value, tag}, sql::parameters{id.value, tag, place++, link.tagged_at});
        }
    }
    if (!untagged.empty())
        to.execute("DELETE FROM link_tags_vN WHERE " + is_one_of(to.dialect(), "link_id", "$1"),
                   {json_array(untagged)});
    if (!effects.tags.empty())
        to.execute_values(
            "INSERT INTO tags_vN (id, workspace_id, name, created_at) "
            "SELECT column1, column2, column3, column4 FROM {values} AS v WHERE true "
            "ON CONFLICT DO NOTHING",
            {"uuid", "uuid", "text", "timestamptz"}, rows_of(effects.tags));
    if (!link_tags.empty())
        to.execute_values(
            "INSERT INTO link_tags_vN (link_id, tag_id, place, created_at) "
            "SELECT column1, column2, column3, column4 FROM {values} AS v",
            {"uuid", "uuid", "bigint", "timestamptz"}, rows_of(link_tags));
}

/// Adds what the batch counted to what is stored.
void add_countries(batch_effects const& effects, std::vector<domain::uuid> const& links,
                   versioned const& to) {
    std::vector<sql::parameters> rows;
    to.rows.query(
        to.named("SELECT id, clicks_by_country FROM links_vN WHERE ") + is_one_of(to.dialect(), "id", "$1"),
        {json_array(links)}, [&](sql::row const& r) {
            auto counts = read_countries(r.text(1));
            for (auto const& [country, clicks] : effects.clicks.at(link_id{r.id(0)}).countries)
                counts[country] += clicks;
            rows.push_back({r.id(0), to_json_text(counts)});
        });
    to.execute_values(
        "UPDATE links_vN SET clicks_by_country = v.column2 FROM {values} AS v WHERE links_vN.id = v.column1",
        {"uuid", "jsonb"}, rows);
}

/// One row per link and visitor; a link's clicks stand in its first row. Only visitors that are not in the
/// table yet raise unique_clicks.
void write_clicks(batch_effects const& effects, versioned const& to) {
    if (effects.clicks.empty()) return;
    std::vector<sql::parameters> rows;
    std::vector<domain::uuid> with_countries;
    for (auto const& [id, clicks] : effects.clicks) {
        std::int64_t total = clicks.total;
        if (!clicks.countries.empty()) with_countries.push_back(id.value);
        if (clicks.visitors.empty()) rows.push_back({id.value, nullptr, total});
        for (auto const& visitor : clicks.visitors) {
            rows.push_back({id.value, visitor, total});
            total = 0;
        }
    }
    std::vector<std::string> const value_types{"uuid", "text", "bigint"};
    to.execute_values(
        "UPDATE links_vN SET total_clicks = links_vN.total_clicks + d.clicks, "
        "unique_clicks = links_vN.unique_clicks + d.fresh FROM (SELECT v.column1 AS link_id, "
        "sum(v.column3) AS clicks, sum(CASE WHEN v.column2 IS NOT NULL AND NOT EXISTS (SELECT 1 "
        "FROM link_visitors_vN AS k WHERE k.link_id = v.column1 AND k.visitor_id = v.column2) "
        "THEN 1 ELSE 0 END) AS fresh FROM {values} AS v GROUP BY v.column1) AS d "
        "WHERE links_vN.id = d.link_id",
        value_types, rows);
    to.execute_values(
        "INSERT INTO link_visitors_vN (link_id, visitor_id) SELECT column1, column2 "
        "FROM {values} AS v WHERE column2 IS NOT NULL ON CONFLICT DO NOTHING",
        value_types, rows);
    if (to.version >= countries_since && !with_countries.empty()) add_countries(effects, with_countries, to);
}

}  // namespace
}  // namespace linkledger::projections::links
