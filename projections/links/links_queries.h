#pragma once
// Reads of the links read model (projection `links`).

#include "domain/ids.h"
#include "domain/time.h"
#include "eventlog/sql/connection.h"
#include "projections/links/countries.h"
#include "projections/paging.h"
#include "projections/read_store.h"

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace linkledger::projections::links {

struct link_row {
    domain::link_id id;
    domain::workspace_id workspace_id;
    domain::user_id user_id;  ///< Who created it.
    std::optional<domain::domain_id> domain_id;
    std::string url;
    std::string short_code;
    std::optional<std::string> title;
    std::optional<std::string> description;
    std::optional<std::string> favicon_url;
    std::optional<std::string> og_image_url;
    std::vector<std::string> tags;
    bool is_active = true;
    bool has_password = false;
    std::optional<domain::timestamp> expires_at;
    std::optional<std::int64_t> max_clicks;
    std::optional<std::string> utm_source;
    std::optional<std::string> utm_medium;
    std::optional<std::string> utm_campaign;
    std::optional<std::string> utm_term;
    std::optional<std::string> utm_content;
    std::int64_t total_clicks = 0;   ///< Of people.
    std::int64_t unique_clicks = 0;  ///< Distinct visitor hashes; a visitor has another one every UTC day.
    /// Of people, by two letters; clicks from unknown countries are left out. None: the live version of the
    /// read model does not have it yet, or the row is one of the past.
    std::optional<boost::json::value> clicks_by_country;
    domain::timestamp created_at;
    domain::timestamp updated_at;
    std::optional<domain::timestamp> deleted_at;

    bool operator==(link_row const&) const = default;
};
BOOST_DESCRIBE_STRUCT(link_row, (),
                      (id, workspace_id, user_id, domain_id, url, short_code, title, description, favicon_url,
                       og_image_url, tags, is_active, has_password, expires_at, max_clicks, utm_source,
                       utm_medium, utm_campaign, utm_term, utm_content, total_clicks, unique_clicks,
                       clicks_by_country, created_at, updated_at, deleted_at))

enum class link_sort { created_at, total_clicks, title };
BOOST_DESCRIBE_ENUM(link_sort, created_at, total_clicks, title)

struct link_list_query {
    std::optional<std::vector<domain::workspace_id>> workspaces;  ///< None: of every workspace.
    std::optional<std::string> search;  ///< Found anywhere in code, url, title or description, in any case.
    std::optional<std::string> tag;     ///< Exactly this name.
    link_sort sort = link_sort::created_at;
    sort_order order = sort_order::desc;
    bool deleted_too = false;
    page_request page{};
};
[[nodiscard]] page_of<link_row> list_links(snapshot const& now, link_list_query const& query);

/// A deleted link is found, too, with its `deleted_at`.
[[nodiscard]] std::optional<link_row> get_link(snapshot const& now, domain::link_id const& id);

}  // namespace linkledger::projections::links
