#include "projections/links/links_as_of.h"

#include "domain/link/link.h"
#include "eventlog/codec.h"

#include <utility>

namespace linkledger::projections::links {
namespace {

link_row to_row(domain::link::state const& link) {
    link_row row;
    row.id = link.link_id;
    row.workspace_id = link.workspace_id;
    row.user_id = link.user_id;
    row.domain_id = link.domain_id;
    row.url = link.url;
    row.short_code = link.short_code;
    row.title = link.title;
    row.description = link.description;
    row.favicon_url = link.favicon_url;
    row.og_image_url = link.og_image_url;
    row.tags = link.tags;
    row.is_active = link.is_active;
    row.has_password = link.has_password;
    row.expires_at = link.expires_at;
    row.max_clicks = link.max_clicks;
    row.utm_source = link.utm_source;
    row.utm_medium = link.utm_medium;
    row.utm_campaign = link.utm_campaign;
    row.utm_term = link.utm_term;
    row.utm_content = link.utm_content;
    return row;
}

}  // namespace

eventlog::result<std::optional<link_row>> fold_link(std::span<eventlog::recorded_event const> events) {
    domain::link::state link;
    std::optional<domain::timestamp> deleted_at;
    for (auto const& event : events) {
        // The password's hash is all that is sealed, and a row does not show it: no key is asked for.
        BOOST_OUTCOME_TRY(auto const decoded, eventlog::decode(event.body.type, event.body.schema_version,
                                                               event.body.data, std::nullopt));
        link = evolve(std::move(link), decoded);
        if (!link.is_deleted)
            deleted_at.reset();
        else if (!deleted_at)
            deleted_at = event.recorded_at;
    }
    if (!link.exists) return std::optional<link_row>{};
    auto row = to_row(link);
    row.created_at = events.front().recorded_at;
    row.updated_at = events.back().recorded_at;
    row.deleted_at = deleted_at;
    return std::optional{std::move(row)};
}

}  // namespace linkledger::projections::links
