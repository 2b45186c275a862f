#pragma once
// Reads of the clicks read model (projection `clicks`).

#include "domain/ids.h"
#include "domain/time.h"
#include "eventlog/sql/connection.h"
#include "projections/moments.h"
#include "projections/paging.h"

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace linkledger::projections::clicks {

/// What was personal is empty once the day's key is destroyed and the model was rebuilt.
struct click_row {
    domain::uuid id;
    domain::link_id link_id;
    domain::timestamp clicked_at;
    std::optional<std::string> visitor_id;
    std::optional<std::string> ip_address;
    std::optional<std::string> user_agent;
    std::optional<std::string> referer;
    std::optional<std::string> referer_domain;
    std::optional<std::string> country_code;
    std::optional<std::string> region;
    std::optional<std::string> city;
    std::optional<std::string> device_type;
    std::optional<std::string> browser;
    std::optional<std::string> browser_version;
    std::optional<std::string> os;
    std::optional<std::string> os_version;
    bool is_bot = false;
    std::optional<std::string> utm_source;
    std::optional<std::string> utm_medium;
    std::optional<std::string> utm_campaign;
    domain::timestamp created_at;  ///< When the log recorded it.

    bool operator==(click_row const&) const = default;
};
BOOST_DESCRIBE_STRUCT(click_row, (),
                      (id, link_id, clicked_at, visitor_id, ip_address, user_agent, referer, referer_domain,
                       country_code, region, city, device_type, browser, browser_version, os, os_version,
                       is_bot, utm_source, utm_medium, utm_campaign, created_at))

struct click_list_query {
    domain::link_id link_id;
    std::optional<bool> is_bot;             ///< None: people and bots.
    std::optional<domain::timestamp> from;  ///< Inclusive.
    std::optional<domain::timestamp> to;    ///< Exclusive.
    sort_order order = sort_order::desc;    ///< By clicked_at.
    page_request page{};                    ///< Cursors are offered.
};
[[nodiscard]] page_of<click_row> list_clicks(sql::connection& rows, click_list_query const& query);

enum class interval { hour, day, month };
BOOST_DESCRIBE_ENUM(interval, hour, day, month)

/// Clicks that have one value in common; an empty value is an unknown one.
struct stats_share {
    std::optional<std::string> value;
    std::int64_t clicks = 0;

    bool operator==(stats_share const&) const = default;
};
BOOST_DESCRIBE_STRUCT(stats_share, (), (value, clicks))

/// A piece of the time series, by UTC.
struct stats_bucket {
    domain::timestamp start;
    std::int64_t clicks = 0;
    std::int64_t unique_clicks = 0;

    bool operator==(stats_bucket const&) const = default;
};
BOOST_DESCRIBE_STRUCT(stats_bucket, (), (start, clicks, unique_clicks))

/// People only; bots are left out. Uniques are distinct visitor hashes (a visitor has another one every UTC
/// day).
struct link_stats {
    domain::link_id link_id;
    std::optional<domain::timestamp> from;
    std::optional<domain::timestamp> to;
    clicks::interval interval = clicks::interval::day;
    std::int64_t total_clicks = 0;
    std::int64_t unique_clicks = 0;
    std::vector<stats_share> countries;  ///< These five: most clicks first, 50 at most.
    std::vector<stats_share> devices;
    std::vector<stats_share> browsers;
    std::vector<stats_share> operating_systems;
    std::vector<stats_share> referrers;  ///< Domains.
    std::vector<stats_bucket> series;    ///< Oldest first; pieces without clicks are left out.

    bool operator==(link_stats const&) const = default;
};
BOOST_DESCRIBE_STRUCT(link_stats, (),
                      (link_id, from, to, interval, total_clicks, unique_clicks, countries, devices, browsers,
                       operating_systems, referrers, series))

struct stats_query {
    domain::link_id link_id;
    std::optional<domain::timestamp> from;  ///< Inclusive; none: from the first click on.
    std::optional<domain::timestamp> to;    ///< Exclusive; none: to the last click.
    clicks::interval interval = clicks::interval::day;
    std::optional<time_cut> cut{};  ///< As it was at an earlier moment.
};
[[nodiscard]] link_stats get_stats(sql::connection& rows, stats_query const& query);

/// A link's unique clicks at an earlier moment.
[[nodiscard]] std::int64_t unique_clicks_at(sql::connection& rows, domain::link_id const& link,
                                            time_cut const& cut);

/// The same by country, those without one left out.
[[nodiscard]] std::map<std::string, std::int64_t> clicks_by_country_at(sql::connection& rows,
                                                                       domain::link_id const& link,
                                                                       time_cut const& cut);

}  // namespace linkledger::projections::clicks
