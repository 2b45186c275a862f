#include "projections/clicks/clicks_rows.h"

namespace linkledger::projections::clicks {

using domain::click::clicked;
using domain::click::settled;

void write(std::vector<sql::parameters> const& rows, sql::connection& to) {
    if (rows.empty()) return;
    to.copy_rows("clicks_v1",
                 {"id",          "link_id",    "workspace_id",    "clicked_at",   "visitor_id", "ip_address",
                  "user_agent",  "referer",    "referer_domain",  "country_code", "region",     "city",
                  "device_type", "browser",    "browser_version", "os",           "os_version", "is_bot",
                  "utm_source",  "utm_medium", "utm_campaign",    "created_at"},
                 rows);
}

void settle(std::vector<settled const*> const& days, earlier_rows how, sql::connection& in) {
    if (days.empty()) return;
    std::vector<sql::parameters> ranges, totals, hours;
    for (auto const* day : days) {
        auto const begins = domain::parse_timestamp(day->day + "T00:00:00Z");
        if (!begins) continue;
        ranges.push_back({day->link_id.value, *begins, *begins + std::chrono::days{1}});
        totals.push_back({day->link_id.value, *begins, day->key_id, day->unique_clicks});
        for (auto const& hour : day->hours)
            hours.push_back({day->link_id.value, *begins + std::chrono::hours{hour.hour}, day->key_id,
                             hour.unique_clicks});
    }
    if (how == earlier_rows::are_erased)
        in.execute_values(
            "UPDATE clicks_v1 SET visitor_id = NULL, ip_address = NULL, user_agent = NULL, referer = NULL "
            "FROM {values} AS v WHERE clicks_v1.link_id = v.column1 AND clicks_v1.clicked_at >= v.column2 "
            "AND clicks_v1.clicked_at < v.column3",
            {"uuid", "timestamptz", "timestamptz"}, ranges);
    in.copy_rows("settled_days_v1", {"link_id", "day", "key_id", "unique_clicks"}, totals);
    if (!hours.empty())
        in.copy_rows("settled_hours_v1", {"link_id", "hour", "key_id", "unique_clicks"}, hours);
}

sql::parameters to_row(eventlog::recorded_event const& stored, clicked const& click) {
    static domain::click::clicked_personal const erased{};
    auto const& body = stored.body;
    auto const& personal = click.personal ? *click.personal : erased;
    std::optional<std::string> visitor;
    if (!personal.visitor.empty()) visitor = personal.visitor;
    return {body.event_id,
            click.link_id.value,
            body.workspace_id,
            body.occurred_at,
            sql::bind(visitor),
            sql::bind(personal.ip),
            sql::bind(personal.user_agent),
            sql::bind(personal.referer),
            sql::bind(click.referer_domain),
            sql::bind(click.country_code),
            sql::bind(click.region),
            sql::bind(click.city),
            sql::bind(click.device_type),
            sql::bind(click.browser),
            sql::bind(click.browser_version),
            sql::bind(click.os),
            sql::bind(click.os_version),
            click.is_bot,
            sql::bind(click.utm_source),
            sql::bind(click.utm_medium),
            sql::bind(click.utm_campaign),
            stored.recorded_at};
}

}  // namespace linkledger::projections::clicks
