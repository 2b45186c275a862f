// Folds links by loading the rows that a batch touches, changing them in memory, and writing them back as
// sets.

#include "projections/links/links_projection.h"

#include "eventlog/crypto.h"
#include "projections/fold.h"
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

constexpr std::array<std::string_view, 7> types{"link.created", "link.updated", "link.disabled",
                                                "link.enabled", "link.deleted", "link.restored",
                                                "link.clicked"};
constexpr std::array<std::string_view, 4> table_names{"links_v1", "link_visitors_v1", "tags_v1",
                                                      "link_tags_v1"};

/// A row of links_v1, its counters apart.
struct link_state {
    domain::user_id user_id;
    domain::workspace_id workspace_id;
    std::optional<domain::domain_id> domain_id;
    std::string url;
    std::string short_code;
    std::optional<std::string> title, description, favicon_url, og_image_url;
    bool is_active = true;
    bool has_password = false;
    std::optional<timestamp> expires_at;
    std::optional<std::int64_t> max_clicks;
    std::optional<std::string> utm_source, utm_medium, utm_campaign, utm_term, utm_content;
    timestamp created_at, updated_at;
    std::optional<timestamp> deleted_at;

    bool stored = false;      ///< The table has it.
    bool code_moved = false;  ///< Its place in the index of short codes is another than the stored one.
    std::optional<std::vector<std::string>> tags{};  ///< Set: these replace the stored ones.
    timestamp tagged_at{};
};

struct link_clicks {
    std::int64_t total = 0;
    std::set<std::string> visitors;
};

struct batch_effects {
    std::unordered_map<link_id, link_state> links;
    std::map<link_id, link_clicks> clicks;
    std::map<domain::uuid, sql::parameters> tags;  ///< Rows of tags_v1 by id, also of tags given up again.
};

[[nodiscard]] std::unordered_map<link_id, link_state> load_touched(event_batch batch, sql::connection& from);
void fold(batch_effects& into, decoded_event const& event);
void write_links(batch_effects const& effects, sql::connection& to);
void write_tags(batch_effects const& effects, sql::connection& to);
void write_clicks(batch_effects const& effects, sql::connection& to);

}  // namespace

std::span<std::string_view const> links_projection::event_types() const {
    return types;
}

std::span<std::string_view const> links_projection::tables() const {
    return table_names;
}

void links_projection::apply(event_batch batch, sql::connection& transaction) {
    batch_effects effects;
    effects.links = load_touched(batch, transaction);
    for (auto const* event : batch) fold(effects, *event);
    write_links(effects, transaction);
    write_tags(effects, transaction);
    write_clicks(effects, transaction);
}

namespace {

// ---- Loading --------------------------------------------------------------------------------------------

constexpr std::string_view select_links =
    "SELECT id, user_id, workspace_id, domain_id, url, short_code, title, description, favicon_url, "
    "og_image_url, "
    "is_active, has_password, expires_at, max_clicks, utm_source, utm_medium, utm_campaign, utm_term, "
    "utm_content, "
    "created_at, updated_at, deleted_at FROM links_v1 WHERE ";

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
std::unordered_map<link_id, link_state> load_touched(event_batch batch, sql::connection& from) {
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
    from.query(std::string{select_links} + is_one_of(from.dialect(), "id", "$1"), {json_array(wanted)},
               [&](sql::row const& r) { found.emplace(link_id{r.id(0)}, read_link(r)); });
    return found;
}

// ---- Folding --------------------------------------------------------------------------------------------

link_state& find_link(batch_effects& in, link_id const& id, decoded_event const& event) {
    auto const found = in.links.find(id);
    if (found == in.links.end())
        throw sql::error{sql::error::kind::other, event.stored.body.type + " of a link that does not exist"};
    found->second.updated_at = event.stored.recorded_at;
    return found->second;
}

/// A tag's id follows from its workspace and name, so no lookup is needed and a rebuild finds the same
/// (a version 8 UUID, RFC 9562 section 5.8).
domain::uuid tag_id(domain::workspace_id const& workspace, std::string const& name) {
    std::string text = "tag\n";
    text.append(reinterpret_cast<char const*>(workspace.value.bytes.data()), workspace.value.bytes.size());
    auto const hash = eventlog::sha256(text + name);
    domain::uuid id;
    std::copy_n(hash.begin(), id.bytes.size(), id.bytes.begin());
    id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0F) | 0x80);
    id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3F) | 0x80);
    return id;
}

void set_tags(batch_effects& into, link_state& link, std::vector<std::string> const& names, timestamp at) {
    link.tags = names;
    link.tagged_at = at;
    for (auto const& name : names) {
        auto const id = tag_id(link.workspace_id, name);
        into.tags.try_emplace(id, sql::parameters{id, link.workspace_id.value, name, at});
    }
}

void create(batch_effects& into, events::created const& e, timestamp at) {
    link_state link;
    link.user_id = e.user_id;
    link.workspace_id = e.workspace_id;
    link.domain_id = e.domain_id;
    link.url = e.url;
    link.short_code = e.short_code;
    link.title = e.title;
    link.description = e.description;
    link.favicon_url = e.favicon_url;
    link.og_image_url = e.og_image_url;
    link.has_password = e.has_password;
    link.expires_at = e.expires_at;
    link.max_clicks = e.max_clicks;
    link.utm_source = e.utm_source;
    link.utm_medium = e.utm_medium;
    link.utm_campaign = e.utm_campaign;
    link.utm_term = e.utm_term;
    link.utm_content = e.utm_content;
    link.created_at = link.updated_at = at;
    if (!e.tags.empty()) set_tags(into, link, e.tags, at);
    into.links.insert_or_assign(e.link_id, std::move(link));
}

template <typename T>
void change(T& field, std::optional<T> const& to) {
    if (to) field = *to;
}

void update(batch_effects& into, link_state& link, events::changes const& after, timestamp at) {
    link.code_moved |= after.short_code.has_value();
    change(link.url, after.url);
    change(link.short_code, after.short_code);
    change(link.title, after.title);
    change(link.description, after.description);
    change(link.favicon_url, after.favicon_url);
    change(link.og_image_url, after.og_image_url);
    change(link.has_password, after.has_password);
    change(link.expires_at, after.expires_at);
    change(link.max_clicks, after.max_clicks);
    change(link.utm_source, after.utm_source);
    change(link.utm_medium, after.utm_medium);
    change(link.utm_campaign, after.utm_campaign);
    change(link.utm_term, after.utm_term);
    change(link.utm_content, after.utm_content);
    if (after.tags) set_tags(into, link, *after.tags, at);
}

void count(batch_effects& into, domain::click::clicked const& e) {
    if (e.is_bot) return;
    auto& clicks = into.clicks[e.link_id];
    ++clicks.total;
    // An erased visitor counts as a click and can no longer be told from others.
    if (e.personal && !e.personal->visitor.empty()) clicks.visitors.insert(e.personal->visitor);
}

void fold(batch_effects& into, decoded_event const& event) {
    timestamp const at = event.stored.recorded_at;
    std::visit(
        overloaded{
            [&](events::created const& e) { create(into, e, at); },
            [&](events::updated const& e) { update(into, find_link(into, e.link_id, event), e.after, at); },
            [&](events::disabled const& e) { find_link(into, e.link_id, event).is_active = false; },
            [&](events::enabled const& e) { find_link(into, e.link_id, event).is_active = true; },
            [&](events::deleted const& e) {
                auto& link = find_link(into, e.link_id, event);
                link.deleted_at = at;
                link.code_moved = true;
            },
            [&](events::restored const& e) {
                auto& link = find_link(into, e.link_id, event);
                link.deleted_at.reset();
                link.code_moved = true;
            },
            [&](domain::click::clicked const& e) { count(into, e); }, [](auto const&) {}},
        event.event);
}

// ---- Writing --------------------------------------------------------------------------------------------

std::string search_text(link_state const& link) {
    return fold_case(link.short_code + '\n' + link.url + '\n' + link.title.value_or("") + '\n' +
                     link.description.value_or(""));
}

template <typename Key>
std::vector<sql::parameters> rows_of(std::map<Key, sql::parameters> const& by_key) {
    std::vector<sql::parameters> rows;
    rows.reserve(by_key.size());
    for (auto const& [key, row] : by_key) rows.push_back(row);
    return rows;
}

sql::parameters to_row(link_id const& id, link_state const& link) {
    return {sql::bind(id),
            sql::bind(link.user_id),
            sql::bind(link.workspace_id),
            sql::bind(link.domain_id),
            sql::bind(link.url),
            sql::bind(link.short_code),
            sql::bind(link.title),
            sql::bind(link.description),
            sql::bind(link.favicon_url),
            sql::bind(link.og_image_url),
            sql::bind(link.is_active),
            sql::bind(link.has_password),
            sql::bind(link.expires_at),
            sql::bind(link.max_clicks),
            sql::bind(link.utm_source),
            sql::bind(link.utm_medium),
            sql::bind(link.utm_campaign),
            sql::bind(link.utm_term),
            sql::bind(link.utm_content),
            sql::bind(fold_case(link.title.value_or(""))),
            sql::bind(search_text(link)),
            sql::bind(link.created_at),
            sql::bind(link.updated_at),
            sql::bind(link.deleted_at)};
}

/// Takes the rows whose code moves out of the index of short codes, so that two links may exchange codes
/// within a batch, whatever the order in which they are written.
void free_moved_codes(batch_effects const& effects, sql::connection& to) {
    std::vector<domain::uuid> moved;
    for (auto const& [id, link] : effects.links) {
        if (link.stored && link.code_moved) moved.push_back(id.value);
    }
    if (moved.empty()) return;
    to.execute("UPDATE links_v1 SET deleted_at = created_at WHERE deleted_at IS NULL AND " +
                   is_one_of(to.dialect(), "id", "$1"),
               {json_array(moved)});
}

void write_links(batch_effects const& effects, sql::connection& to) {
    if (effects.links.empty()) return;
    free_moved_codes(effects, to);
    std::vector<sql::parameters> rows;
    rows.reserve(effects.links.size());
    for (auto const& [id, link] : effects.links) rows.push_back(to_row(id, link));
    to.execute_values(
        "INSERT INTO links_v1 (id, user_id, workspace_id, domain_id, url, short_code, title, description, "
        "favicon_url, og_image_url, is_active, has_password, expires_at, max_clicks, utm_source, utm_medium, "
        "utm_campaign, utm_term, utm_content, title_folded, search_text, created_at, updated_at, deleted_at) "
        "SELECT column1, column2, column3, column4, column5, column6, column7, column8, column9, column10, "
        "column11, column12, column13, column14, column15, column16, column17, column18, column19, column20, "
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

void write_tags(batch_effects const& effects, sql::connection& to) {
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
        to.execute("DELETE FROM link_tags_v1 WHERE " + is_one_of(to.dialect(), "link_id", "$1"),
                   {json_array(untagged)});
    if (!effects.tags.empty())
        to.execute_values(
            "INSERT INTO tags_v1 (id, workspace_id, name, created_at) "
            "SELECT column1, column2, column3, column4 FROM {values} AS v WHERE true "
            "ON CONFLICT DO NOTHING",
            {"uuid", "uuid", "text", "timestamptz"}, rows_of(effects.tags));
    if (!link_tags.empty())
        to.execute_values(
            "INSERT INTO link_tags_v1 (link_id, tag_id, place, created_at) "
            "SELECT column1, column2, column3, column4 FROM {values} AS v",
            {"uuid", "uuid", "bigint", "timestamptz"}, rows_of(link_tags));
}

/// One row per link and visitor; a link's clicks stand in its first row. Only visitors that are not in the
/// table yet raise unique_clicks.
void write_clicks(batch_effects const& effects, sql::connection& to) {
    if (effects.clicks.empty()) return;
    std::vector<sql::parameters> rows;
    for (auto const& [id, clicks] : effects.clicks) {
        std::int64_t total = clicks.total;
        if (clicks.visitors.empty()) rows.push_back({id.value, nullptr, total});
        for (auto const& visitor : clicks.visitors) {
            rows.push_back({id.value, visitor, total});
            total = 0;
        }
    }
    std::vector<std::string> const value_types{"uuid", "text", "bigint"};
    to.execute_values(
        "UPDATE links_v1 SET total_clicks = links_v1.total_clicks + d.clicks, "
        "unique_clicks = links_v1.unique_clicks + d.fresh FROM (SELECT v.column1 AS link_id, "
        "sum(v.column3) AS clicks, sum(CASE WHEN v.column2 IS NOT NULL AND NOT EXISTS (SELECT 1 "
        "FROM link_visitors_v1 AS k WHERE k.link_id = v.column1 AND k.visitor_id = v.column2) "
        "THEN 1 ELSE 0 END) AS fresh FROM {values} AS v GROUP BY v.column1) AS d "
        "WHERE links_v1.id = d.link_id",
        value_types, rows);
    to.execute_values(
        "INSERT INTO link_visitors_v1 (link_id, visitor_id) SELECT column1, column2 "
        "FROM {values} AS v WHERE column2 IS NOT NULL ON CONFLICT DO NOTHING",
        value_types, rows);
}

}  // namespace
}  // namespace linkledger::projections::links
