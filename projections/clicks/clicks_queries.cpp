// The SQL of the clicks read model's queries.

#include "projections/clicks/clicks_queries.h"

#include "projections/clicks/settled_days.h"
#include "projections/cursor.h"
#include "projections/sql_text.h"

#include <algorithm>
#include <map>

namespace linkledger::projections::clicks {
namespace {

constexpr std::string_view columns =
    "id, link_id, clicked_at, visitor_id, ip_address, user_agent, referer, referer_domain, country_code, "
    "region, "
    "city, device_type, browser, browser_version, os, os_version, is_bot, utm_source, utm_medium, "
    "utm_campaign, "
    "created_at";
constexpr std::size_t shares_max = 50;

click_row read_click(sql::row const& r) {
    click_row click;
    click.id = r.id(0);
    click.link_id = {r.id(1)};
    click.clicked_at = r.time(2);
    click.visitor_id = r.text_or_null(3);
    click.ip_address = r.text_or_null(4);
    click.user_agent = r.text_or_null(5);
    click.referer = r.text_or_null(6);
    click.referer_domain = r.text_or_null(7);
    click.country_code = r.text_or_null(8);
    click.region = r.text_or_null(9);
    click.city = r.text_or_null(10);
    click.device_type = r.text_or_null(11);
    click.browser = r.text_or_null(12);
    click.browser_version = r.text_or_null(13);
    click.os = r.text_or_null(14);
    click.os_version = r.text_or_null(15);
    click.is_bot = r.boolean(16);
    click.utm_source = r.text_or_null(17);
    click.utm_medium = r.text_or_null(18);
    click.utm_campaign = r.text_or_null(19);
    click.created_at = r.time(20);
    return click;
}

/// The start of the piece of time that a click falls into, as RFC 3339 text.
std::string bucket_of(interval each, sql::dialect dialect) {
    bool const sqlite = dialect == sql::dialect::sqlite;
    auto const pick = [&](char const* in_sqlite, char const* in_postgresql) {
        return std::string{sqlite ? in_sqlite : in_postgresql};
    };
    switch (each) {
        case interval::hour:
            return pick("substr(clicked_at, 1, 13) || ':00:00Z'",
                        "to_char(clicked_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24\":00:00Z\"')");
        case interval::day:
            return pick("substr(clicked_at, 1, 10) || 'T00:00:00Z'",
                        "to_char(clicked_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T00:00:00Z\"')");
        case interval::month:
            return pick("substr(clicked_at, 1, 7) || '-01T00:00:00Z'",
                        "to_char(clicked_at AT TIME ZONE 'UTC', 'YYYY-MM\"-01T00:00:00Z\"')");
    }
    return {};
}

using share_counts = std::map<std::optional<std::string>, std::int64_t>;

std::vector<stats_share> largest(share_counts const& counts) {
    std::vector<stats_share> shares;
    for (auto const& [value, clicks] : counts) shares.push_back({value, clicks});
    std::stable_sort(shares.begin(), shares.end(),
                     [](auto const& a, auto const& b) { return a.clicks > b.clicks; });
    if (shares.size() > shares_max) shares.resize(shares_max);
    return shares;
}

/// All five breakdowns from one pass over the clicks.
void add_shares(sql::connection& rows, conditions const& which, link_stats& into) {
    share_counts countries, devices, browsers, systems, referrers;
    rows.query("SELECT country_code, device_type, browser, os, referer_domain, count(*) FROM clicks_v1" +
                   which.where() + " GROUP BY country_code, device_type, browser, os, referer_domain",
               which.values(), [&](sql::row const& r) {
                   auto const clicks = r.integer(5);
                   countries[r.text_or_null(0)] += clicks;
                   devices[r.text_or_null(1)] += clicks;
                   browsers[r.text_or_null(2)] += clicks;
                   systems[r.text_or_null(3)] += clicks;
                   referrers[r.text_or_null(4)] += clicks;
                   into.total_clicks += clicks;
               });
    into.countries = largest(countries);
    into.devices = largest(devices);
    into.browsers = largest(browsers);
    into.operating_systems = largest(systems);
    into.referrers = largest(referrers);
}

conditions conditions_of(domain::link_id const& link, std::optional<bool> is_bot,
                         std::optional<domain::timestamp> from, std::optional<domain::timestamp> to) {
    conditions which;
    which.require("link_id = " + which.value(link));
    if (is_bot) which.require("is_bot = " + which.value(*is_bot));
    if (from) which.require("clicked_at >= " + which.value(*from));
    if (to) which.require("clicked_at < " + which.value(*to));
    return which;
}

void cut_off(conditions& which, time_cut const& cut, sql::dialect dialect) {
    auto const before = which.value(cut.before);
    auto const at = which.value(cut.before);
    which.require("(created_at < " + before + " OR (created_at = " + at + " AND " +
                  is_one_of(dialect, "id", which.value(json_array(cut.ids))) + "))");
}

domain::timestamp end_of(domain::timestamp start, interval each) {
    if (each == interval::hour) return start + std::chrono::hours{1};
    if (each == interval::day) return start + std::chrono::days{1};
    std::chrono::year_month_day const day{std::chrono::floor<std::chrono::days>(start)};
    return std::chrono::sys_days{(day.year() / day.month() + std::chrono::months{1}) / 1};
}

/// What was erased counts on: by whole hours where a range or a moment cuts a day.
void add_settled(sql::connection& rows, stats_query const& query, link_stats& to) {
    settled_days const settled{rows, query.link_id};
    if (settled.empty()) return;
    auto until = query.to;
    if (query.cut && (!until || query.cut->before < *until)) until = query.cut->before;
    to.unique_clicks += settled.uniques(query.from, until);
    for (auto& bucket : to.series) {
        auto const ends = end_of(bucket.start, query.interval);
        auto const first = query.from ? std::max(*query.from, bucket.start) : bucket.start;
        bucket.unique_clicks += settled.uniques(first, until ? std::min(*until, ends) : ends);
    }
}

}  // namespace

page_of<click_row> list_clicks(sql::connection& rows, click_list_query const& query) {
    conditions const which = conditions_of(query.link_id, query.is_bot, query.from, query.to);
    return list_by_time<click_row>(rows, {"clicks_v1", columns, "clicked_at", query.order}, which, query.page,
                                   read_click, [](click_row const& row) {
                                       return cursor{row.clicked_at, row.id};
                                   });
}

link_stats get_stats(sql::connection& rows, stats_query const& query) {
    conditions which = conditions_of(query.link_id, false, query.from, query.to);
    if (query.cut) cut_off(which, *query.cut, rows.dialect());
    link_stats stats;
    stats.link_id = query.link_id;
    stats.from = query.from;
    stats.to = query.to;
    stats.interval = query.interval;
    add_shares(rows, which, stats);
    stats.unique_clicks = rows.query_one("SELECT count(DISTINCT visitor_id) FROM clicks_v1" + which.where(),
                                         which.values(), [](sql::row const& r) { return r.integer(0); })
                              .value_or(0);
    auto const bucket = bucket_of(query.interval, rows.dialect());
    stats.series = rows.query_all(
        "SELECT " + bucket + ", count(*), count(DISTINCT visitor_id) FROM clicks_v1" + which.where() +
            " GROUP BY 1 ORDER BY 1",
        which.values(), [](sql::row const& r) {
            return stats_bucket{domain::parse_timestamp(r.text(0)).value_or(domain::timestamp{}),
                                r.integer(1), r.integer(2)};
        });
    add_settled(rows, query, stats);
    return stats;
}

std::int64_t unique_clicks_at(sql::connection& rows, domain::link_id const& link, time_cut const& cut) {
    conditions which = conditions_of(link, false, std::nullopt, std::nullopt);
    cut_off(which, cut, rows.dialect());
    auto const known = rows.query_one("SELECT count(DISTINCT visitor_id) FROM clicks_v1" + which.where(),
                                      which.values(), [](sql::row const& r) { return r.integer(0); });
    return known.value_or(0) + settled_days{rows, link}.uniques(std::nullopt, cut.before);
}

std::map<std::string, std::int64_t> clicks_by_country_at(sql::connection& rows, domain::link_id const& link,
                                                         time_cut const& cut) {
    conditions which = conditions_of(link, false, std::nullopt, std::nullopt);
    cut_off(which, cut, rows.dialect());
    std::map<std::string, std::int64_t> counts;
    rows.query("SELECT country_code, count(*) FROM clicks_v1" + which.where() + " GROUP BY 1", which.values(),
               [&](sql::row const& r) {
                   if (auto country = r.text_or_null(0)) counts.emplace(std::move(*country), r.integer(1));
               });
    return counts;
}

}  // namespace linkledger::projections::clicks
