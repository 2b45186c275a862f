// A click event is a row. In PostgreSQL each month has its partition, made with the first click of that
// month.

#include "projections/clicks/clicks_projection.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <set>

namespace linkledger::projections::clicks {
namespace {

using domain::timestamp;
using domain::click::clicked;
using month = std::chrono::year_month;

constexpr std::array<std::string_view, 1> types{"link.clicked"};
constexpr std::array<std::string_view, 1> table_names{"clicks_v1"};

[[nodiscard]] sql::parameters to_row(decoded_event const& event, clicked const& click);
void ensure_partitions(event_batch batch, sql::connection& in);

}  // namespace

std::span<std::string_view const> clicks_projection::event_types() const {
    return types;
}

std::span<std::string_view const> clicks_projection::tables() const {
    return table_names;
}

void clicks_projection::apply(event_batch batch, sql::connection& transaction) {
    std::vector<sql::parameters> rows;
    rows.reserve(batch.size());
    for (auto const* event : batch) {
        if (auto const* click = std::get_if<clicked>(&event->event)) rows.push_back(to_row(*event, *click));
    }
    if (rows.empty()) return;
    if (transaction.dialect() == sql::dialect::postgresql) ensure_partitions(batch, transaction);
    transaction.copy_rows(
        "clicks_v1",
        {"id",          "link_id",    "workspace_id",    "clicked_at",   "visitor_id", "ip_address",
         "user_agent",  "referer",    "referer_domain",  "country_code", "region",     "city",
         "device_type", "browser",    "browser_version", "os",           "os_version", "is_bot",
         "utm_source",  "utm_medium", "utm_campaign",    "created_at"},
        rows);
}

namespace {

sql::parameters to_row(decoded_event const& event, clicked const& click) {
    static domain::click::clicked_personal const erased{};
    auto const& body = event.stored.body;
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
            event.stored.recorded_at};
}

month month_of(timestamp at) {
    std::chrono::year_month_day const day{std::chrono::floor<std::chrono::days>(at)};
    return day.year() / day.month();
}

std::string format_month(char const* format, month of) {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), format, static_cast<int>(of.year()),
                  static_cast<unsigned>(of.month()));
    return text.data();
}

/// The months of the batch and those after them, so that the turn of a month finds its partition. Looked up
/// anew in each batch, because a batch that is rolled back takes its partitions with it.
void ensure_partitions(event_batch batch, sql::connection& in) {
    std::set<month> months;
    for (auto const* event : batch) {
        auto const needed = month_of(event->stored.body.occurred_at);
        months.insert(needed);
        months.insert(needed + std::chrono::months{1});
    }
    for (auto const& each : months) {
        auto const name = format_month("clicks_v1_%04d_%02u", each);
        auto const exists = in.query_one("SELECT to_regclass($1) IS NOT NULL", {name},
                                         [](sql::row const& r) { return r.boolean(0); });
        if (exists.value_or(false)) continue;
        in.execute("CREATE TABLE IF NOT EXISTS " + name + " PARTITION OF clicks_v1 FOR VALUES FROM ('" +
                   format_month("%04d-%02u-01 00:00:00+00", each) + "') TO ('" +
                   format_month("%04d-%02u-01 00:00:00+00", each + std::chrono::months{1}) + "')");
    }
}

}  // namespace
}  // namespace linkledger::projections::clicks
