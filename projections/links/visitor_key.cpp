#include "projections/links/visitor_key.h"

#include "projections/sql_text.h"

#include <chrono>
#include <vector>

namespace linkledger::projections::links {
namespace {

constexpr std::size_t hash_characters = 28;

}  // namespace

std::string visitor_day(domain::timestamp at) {
    auto days = std::chrono::floor<std::chrono::days>(at).time_since_epoch().count();
    std::string text(4, '0');
    for (auto character = text.rbegin(); character != text.rend(); ++character, days >>= 4)
        *character = "0123456789abcdef"[days & 15];
    return text;
}

std::string visitor_key(domain::timestamp clicked_at, std::string_view visitor) {
    return visitor_day(clicked_at) + std::string{visitor.substr(0, hash_characters)};
}

void settle_visitors(settled_uniques const& days, sql::connection& in, int version) {
    if (days.empty()) return;
    std::vector<sql::parameters> rows;
    for (auto const& [day, uniques] : days)
        rows.push_back({day.first.value, visitor_day(day.second),
                        visitor_day(day.second + std::chrono::days{1}), uniques});
    std::vector<std::string> const value_types{"uuid", "text", "text", "bigint"};
    in.execute_values(
        at_version(
            "UPDATE links_vN SET unique_clicks = links_vN.unique_clicks + d.change FROM (SELECT v.column1 "
            "AS link_id, sum(v.column4 - (SELECT count(*) FROM link_visitors_vN AS k WHERE k.link_id = "
            "v.column1 AND k.visitor_id >= v.column2 AND k.visitor_id < v.column3)) AS change "
            "FROM {values} AS v GROUP BY v.column1) AS d WHERE links_vN.id = d.link_id",
            version),
        value_types, rows);
    std::string_view const in_postgresql =
        "DELETE FROM link_visitors_vN AS k USING {values} AS v WHERE k.link_id = v.column1 "
        "AND k.visitor_id >= v.column2 AND k.visitor_id < v.column3";
    std::string_view const in_sqlite =
        "DELETE FROM link_visitors_vN WHERE (link_id, visitor_id) IN (SELECT k.link_id, k.visitor_id FROM "
        "{values} AS v JOIN link_visitors_vN AS k ON k.link_id = v.column1 AND k.visitor_id >= v.column2 "
        "AND k.visitor_id < v.column3)";
    in.execute_values(
        at_version(in.dialect() == sql::dialect::postgresql ? in_postgresql : in_sqlite, version),
        value_types, rows);
}

}  // namespace linkledger::projections::links
