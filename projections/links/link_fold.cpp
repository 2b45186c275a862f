#include "projections/links/link_fold.h"

#include "eventlog/bytes.h"
#include "eventlog/crypto.h"
#include "projections/fold.h"
#include "projections/sql_text.h"

#include <algorithm>

namespace linkledger::projections::links {
namespace {

namespace events = domain::link;
using domain::link_id;
using domain::timestamp;

link_state& find_link(batch_effects& in, link_id const& id, decoded_event const& event) {
    auto const found = in.links.find(id);
    if (found == in.links.end())
        throw sql::error{sql::error::kind::other, event.stored.body.type + " of a link that does not exist"};
    found->second.updated_at = event.stored.recorded_at;
    return found->second;
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

void count(batch_effects& into, domain::click::clicked const& e, timestamp clicked_at) {
    if (e.is_bot) return;
    auto& clicks = into.clicks[e.link_id];
    ++clicks.total;
    if (e.country_code) ++clicks.countries[*e.country_code];
    // An erased visitor counts as a click and can no longer be told from others.
    if (e.personal && !e.personal->visitor.empty())
        clicks.visitors.insert(visitor_key(clicked_at, e.personal->visitor));
}

std::string search_text(link_state const& link) {
    return fold_case(link.short_code + '\n' + link.url + '\n' + link.title.value_or("") + '\n' +
                     link.description.value_or(""));
}

}  // namespace

domain::uuid tag_id(domain::workspace_id const& workspace, std::string const& name) {
    std::string text = "tag\n";
    text += eventlog::view_of(workspace.value);
    auto const hash = eventlog::sha256(text + name);
    domain::uuid id;
    std::copy_n(hash.begin(), id.bytes.size(), id.bytes.begin());
    id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0F) | 0x80);
    id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3F) | 0x80);
    return id;
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
            [&](domain::click::clicked const& e) { count(into, e, event.stored.body.occurred_at); },
            [&](domain::click::settled const& e) {
                if (auto const day = domain::parse_timestamp(e.day + "T00:00:00Z"))
                    into.settled[{e.link_id, *day}] += e.unique_clicks;
            },
            [](auto const&) {}},
        event.event);
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

}  // namespace linkledger::projections::links
