// Reads at an earlier moment: rows from the streams themselves, click counts from what was recorded until
// then.

#include "api/exchange.h"
#include "api/handlers.h"
#include "api/json_text.h"
#include "api/wire_types.h"
#include "domain/streams.h"
#include "eventlog/crypto.h"
#include "eventlog/json_reflect.h"
#include "projections/accounts/workspace_as_of.h"
#include "projections/clicks/clicks_queries.h"
#include "projections/links/countries.h"
#include "projections/links/links_as_of.h"
#include "projections/moments.h"

namespace linkledger::api {

namespace {

namespace accounts = projections::accounts;
namespace clicks = projections::clicks;
namespace links = projections::links;
using eventlog::result;
using projections::moment;

void refuse_unknown_then(exchange& x, std::string_view what) {
    x.refuse_not_found("There was no such " + std::string{what} + " for this key at that moment.");
}

/// Asks the log off the server's threads. None: refused, and answered.
template <typename T>
[[nodiscard]] awaitable<std::optional<T>> ask_log(exchange& x,
                                                  std::function<result<T>(eventlog::event_log&)> question) {
    std::optional<result<T>> outcome;
    std::function<void()> work = [&] { outcome.emplace(question(x.shared.on.log)); };
    if (!co_await run_off_thread(x, std::move(work))) co_return std::nullopt;
    if (!outcome->has_value()) {
        x.refuse(outcome->error());
        co_return std::nullopt;
    }
    co_return std::move(outcome->value());
}

/// A moment that has passed: what it shows is final. None: refused, and answered.
[[nodiscard]] awaitable<std::optional<moment>> past_moment(exchange& x, std::string name, std::string text) {
    auto const at = projections::parse_moment(text);
    if (!at) {
        x.refuse(domain::invalid_field(name, "must be a position or an RFC 3339 time"));
        co_return std::nullopt;
    }
    if (auto const* time = std::get_if<domain::timestamp>(&*at)) {
        if (*time <= eventlog::now()) co_return at;
        x.refuse(domain::invalid_field(name, "must not lie in the future"));
        co_return std::nullopt;
    }
    std::function<result<eventlog::log_head>(eventlog::event_log&)> head = [](eventlog::event_log& log) {
        return log.head();
    };
    auto const now = co_await ask_log<eventlog::log_head>(x, std::move(head));
    if (!now) co_return std::nullopt;
    if (std::get<eventlog::position>(*at) <= now->last) co_return at;
    x.refuse(domain::invalid_field(name, "must not be beyond the log's last position"));
    co_return std::nullopt;
}

/// A link then, and its clicks until then.
struct link_then {
    std::int64_t version = 0;
    std::optional<links::link_row> row;
    projections::time_cut clicks;
};

result<link_then> read_link(eventlog::event_log& log, domain::link_id const& id, moment const& at) {
    link_then then;
    BOOST_OUTCOME_TRY(auto const events, projections::read_until(log, domain::stream_of(id), at));
    then.version = static_cast<std::int64_t>(events.size());
    BOOST_OUTCOME_TRY(then.row, links::fold_link(events));
    if (!then.row) return then;
    then.row->clicks_by_country = json::bj::object{};
    auto const stream = domain::clicks_stream_of(id);
    BOOST_OUTCOME_TRY(then.row->total_clicks, projections::version_at(log, stream, at));
    BOOST_OUTCOME_TRY(then.clicks, projections::cut_at(log, stream, then.row->total_clicks));
    return then;
}

/// None: refused, and answered. Whether the caller may know of the link is not asked here.
[[nodiscard]] awaitable<std::optional<link_then>> find_then(exchange& x, moment at) {
    domain::link_id const id{x.id()};
    std::function<result<link_then>(eventlog::event_log&)> read = [id, at](eventlog::event_log& log) {
        return read_link(log, id, at);
    };
    auto then = co_await ask_log<link_then>(x, std::move(read));
    if (!then || !then->row || then->row->total_clicks == 0) co_return then;
    std::function<void(projections::snapshot const&)> count = [&](sql::connection& rows) {
        then->row->unique_clicks = clicks::unique_clicks_at(rows, id, then->clicks);
        auto const countries = clicks::clicks_by_country_at(rows, id, then->clicks);
        then->row->clicks_by_country = links::parse_countries(links::to_json_text(countries));
    };
    if (!co_await read_model(x, "clicks", std::move(count), then->clicks.position)) co_return std::nullopt;
    co_return then;
}

/// The link at `?as_of=`, when the caller may know of it. None: refused, and answered.
[[nodiscard]] awaitable<std::optional<link_then>> link_as_of(exchange& x) {
    auto const at = co_await past_moment(x, "as_of", x.text("as_of").value_or(""));
    if (!at) co_return std::nullopt;
    auto then = co_await find_then(x, *at);
    if (!then) co_return std::nullopt;
    if (!then->row) {
        refuse_unknown_then(x, "link");
        co_return std::nullopt;
    }
    if (!co_await may_read(x, then->row->workspace_id)) co_return std::nullopt;
    co_return then;
}

/// The fields in which two rows differ, in the order of the row.
std::vector<field_change> changes_between(std::optional<links::link_row> const& from,
                                          std::optional<links::link_row> const& to) {
    auto const as_object = [](std::optional<links::link_row> const& row) {
        return row ? json::to_value(*row, json::empty_fields::null).as_object() : json::bj::object{};
    };
    auto const before = as_object(from);
    auto const after = as_object(to);
    std::vector<field_change> changes;
    for (auto const& [name, ignored] : before.empty() ? after : before) {
        auto const value_in = [&name = name](json::bj::object const& in) {
            auto const* const found = in.if_contains(name);
            return found != nullptr ? *found : json::bj::value(nullptr);
        };
        auto const was = value_in(before);
        auto const is = value_in(after);
        if (was != is) changes.push_back({std::string{name}, was, is});
    }
    return changes;
}

}  // namespace

awaitable<void> get_link_as_of(exchange& x) {
    auto const then = co_await link_as_of(x);
    if (then) x.answer_json(to_json_text(*then->row));
}

awaitable<void> get_link_stats_as_of(exchange& x) {
    auto const then = co_await link_as_of(x);
    if (!then) co_return;
    clicks::stats_query query;
    query.link_id = then->row->id;
    query.from = x.time("from");
    query.to = x.time("to");
    if (auto const interval = x.text("interval")) json::detail::enum_from_name(*interval, query.interval);
    query.cut = then->clicks;
    std::string text;
    std::function<void(projections::snapshot const&)> work = [&](sql::connection& rows) {
        text = to_json_text(clicks::get_stats(rows, query));
    };
    if (co_await read_model(x, "clicks", std::move(work), then->clicks.position))
        x.answer_json(std::move(text));
}

awaitable<void> get_link_diff(exchange& x) {
    auto const from = co_await past_moment(x, "from", x.text("from").value_or(""));
    if (!from) co_return;
    auto const now = domain::to_rfc3339(eventlog::now());
    auto const to = co_await past_moment(x, "to", x.text("to").value_or(now));
    if (!to) co_return;
    auto const before = co_await find_then(x, *from);
    if (!before) co_return;
    auto const after = co_await find_then(x, *to);
    if (!after) co_return;
    auto const& known = after->row ? after->row : before->row;
    if (!known) {
        refuse_unknown_then(x, "link");
        co_return;
    }
    if (!co_await may_read(x, known->workspace_id)) co_return;
    link_diff const diff{domain::link_id{x.id()},
                         {before->version, before->row},
                         {after->version, after->row},
                         changes_between(before->row, after->row)};
    x.answer_json(to_json_text(diff));
}

awaitable<void> get_workspace_as_of(exchange& x) {
    domain::workspace_id const id{x.id()};
    if (!co_await may_read(x, id)) co_return;
    auto const at = co_await past_moment(x, "as_of", x.text("as_of").value_or(""));
    if (!at) co_return;
    using row = std::optional<accounts::workspace_row>;
    auto const member = x.who.user_id;
    std::function<result<row>(eventlog::event_log&)> read = [&](eventlog::event_log& log) -> result<row> {
        BOOST_OUTCOME_TRY(auto const events, projections::read_until(log, domain::stream_of(id), *at));
        return accounts::fold_workspace(events, member);
    };
    auto const then = co_await ask_log<row>(x, std::move(read));
    if (!then) co_return;
    if (*then)
        x.answer_json(to_json_text(**then));
    else
        refuse_unknown_then(x, "workspace");
}

}  // namespace linkledger::api
