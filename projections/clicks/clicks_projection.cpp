// A click event is a row. In PostgreSQL each month has its partition, made with the first click of that
// month.

#include "projections/clicks/clicks_projection.h"

#include "projections/clicks/clicks_rebuild.h"
#include "projections/clicks/clicks_rows.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <set>

namespace linkledger::projections::clicks {
namespace {

using domain::timestamp;
using domain::click::clicked;
using domain::click::settled;
using month = std::chrono::year_month;

constexpr std::array<std::string_view, 3> types{"link.clicked", "clicks.settled", "click_details.erased"};
constexpr std::array<std::string_view, 3> table_names{"clicks_v1", "settled_days_v1", "settled_hours_v1"};

void ensure_partitions(event_batch batch, sql::connection& in);
void add_rows(event_batch batch, earlier_rows how, sql::connection& to);
void erase_details(domain::uuid const& key, sql::connection& in);

}  // namespace

std::span<std::string_view const> clicks_projection::event_types() const {
    return types;
}

std::span<std::string_view const> clicks_projection::tables() const {
    return table_names;
}

void clicks_projection::apply(event_batch batch, sql::connection& transaction) {
    add_rows(batch, earlier_rows::are_erased, transaction);
    for (auto const* event : batch) {
        auto const* erased = std::get_if<domain::erasure::details_erased>(&event->event);
        if (erased == nullptr) continue;
        for (auto const& day : erased->days) erase_details(day.key_id, transaction);
    }
}

std::unique_ptr<sorted_fold> clicks_projection::create_sorted_fold(sql::dialect in) const {
    // Rows in the order of their key are worth being sorted where the key cannot be made afterwards.
    return in == sql::dialect::sqlite ? clicks::create_sorted_fold() : nullptr;
}

void clicks_projection::apply_in_any_order(event_batch batch, sql::connection& transaction) {
    add_rows(batch, earlier_rows::are_left, transaction);
}

namespace {

void add_rows(event_batch batch, earlier_rows how, sql::connection& to) {
    std::vector<sql::parameters> rows;
    std::vector<settled const*> days;
    rows.reserve(batch.size());
    for (auto const* event : batch) {
        if (auto const* click = std::get_if<clicked>(&event->event))
            rows.push_back(to_row(event->stored, *click));
        if (auto const* day = std::get_if<settled>(&event->event)) days.push_back(day);
    }
    if (!rows.empty() && to.dialect() == sql::dialect::postgresql) ensure_partitions(batch, to);
    write(rows, to);
    settle(days, how, to);
}

/// Once more by the key, for rows that a rebuild loaded while the days were being settled.
void erase_details(domain::uuid const& key, sql::connection& in) {
    auto const next_day = in.dialect() == sql::dialect::postgresql
                              ? "d.day + interval '1 day'"
                              : "strftime('%Y-%m-%dT%H:%M:%f000Z', d.day, '+1 day')";
    in.execute(std::string{"UPDATE clicks_v1 SET visitor_id = NULL, ip_address = NULL, user_agent = NULL, "
                           "referer = NULL FROM settled_days_v1 AS d WHERE d.key_id = $1 AND "
                           "clicks_v1.link_id = d.link_id AND clicks_v1.clicked_at >= d.day AND "
                           "clicks_v1.clicked_at < "} +
                   next_day,
               {key});
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
        if (!std::holds_alternative<clicked>(event->event)) continue;
        auto const needed = month_of(event->stored.body.occurred_at);
        months.insert(needed);
        months.insert(needed + std::chrono::months{1});
    }
    for (auto const& each : months) {
        auto const name = format_month("clicks_v1_%04d_%02u", each);
        auto const exists = in.query_one("SELECT to_regclass($1) IS NOT NULL", {name},
                                         [](sql::row const& r) { return r.boolean(0); });
        if (exists.value_or(false)) continue;
        // Threads of a rebuild come here at once, and IF NOT EXISTS fails who is second within an instant.
        in.query("SELECT pg_advisory_xact_lock(hashtextextended('linkledger partition ' || $1::text, 0))",
                 {name}, [](sql::row const&) {});
        in.execute("CREATE TABLE IF NOT EXISTS " + name + " PARTITION OF clicks_v1 FOR VALUES FROM ('" +
                   format_month("%04d-%02u-01 00:00:00+00", each) + "') TO ('" +
                   format_month("%04d-%02u-01 00:00:00+00", each + std::chrono::months{1}) + "')");
    }
}

}  // namespace
}  // namespace linkledger::projections::clicks
