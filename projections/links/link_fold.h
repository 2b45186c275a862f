#pragma once
// What events do to links: the fold that the projection and its rebuild share. No SQL here.

#include "projections/links/countries.h"
#include "projections/links/visitor_key.h"
#include "projections/projection.h"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace linkledger::projections::links {

/// From this version on there are clicks by country.
inline constexpr int countries_since = 2;

/// A row of links_vN, its counters apart.
struct link_state {
    domain::user_id user_id;
    domain::workspace_id workspace_id;
    std::optional<domain::domain_id> domain_id;
    std::string url;
    std::string short_code;
    std::optional<std::string> title, description, favicon_url, og_image_url;
    bool is_active = true;
    bool has_password = false;
    std::optional<domain::timestamp> expires_at;
    std::optional<std::int64_t> max_clicks;
    std::optional<std::string> utm_source, utm_medium, utm_campaign, utm_term, utm_content;
    domain::timestamp created_at, updated_at;
    std::optional<domain::timestamp> deleted_at;

    bool stored = false;      ///< The table has it.
    bool code_moved = false;  ///< Its place in the index of short codes is another than the stored one.
    std::optional<std::vector<std::string>> tags{};  ///< Set: these replace the stored ones.
    domain::timestamp tagged_at{};
};

struct link_clicks {
    std::int64_t total = 0;
    std::set<std::string> visitors;  ///< As visitor_key has them.
    country_counts countries;
};

struct batch_effects {
    std::unordered_map<domain::link_id, link_state> links;
    std::map<domain::link_id, link_clicks> clicks;
    /// Uniques of days whose visitors are told apart for the last time.
    settled_uniques settled;
    std::map<domain::uuid, sql::parameters> tags;  ///< Rows of tags_vN by id, also of tags given up again.
};

/// Adds an event. Throws sql::error (`other`) for a change of a link that is not in `into`.
void fold(batch_effects& into, decoded_event const& event);

/// A tag's id follows from its workspace and name, so no lookup is needed and a rebuild finds the same
/// (a version 8 UUID, RFC 9562 section 5.8).
[[nodiscard]] domain::uuid tag_id(domain::workspace_id const& workspace, std::string const& name);

/// Of links_vN, without the counters.
inline constexpr std::array<char const*, 24> link_columns{
    "id",          "user_id",      "workspace_id", "domain_id",    "url",          "short_code",
    "title",       "description",  "favicon_url",  "og_image_url", "is_active",    "has_password",
    "expires_at",  "max_clicks",   "utm_source",   "utm_medium",   "utm_campaign", "utm_term",
    "utm_content", "title_folded", "search_text",  "created_at",   "updated_at",   "deleted_at"};
[[nodiscard]] sql::parameters to_row(domain::link_id const& id, link_state const& link);

}  // namespace linkledger::projections::links
