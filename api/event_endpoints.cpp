// The log on the wire: pages, NDJSON up to the head, and a live tail as server-sent events.

#include "api/authentication.h"
#include "api/exchange.h"
#include "api/handlers.h"
#include "commands/async.h"
#include "domain/streams.h"
#include "eventlog/event_log.h"
#include "eventlog/json_reflect.h"
#include "eventlog/keyring.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <charconv>
#include <unordered_map>

namespace linkledger::api {

namespace {

namespace asio = boost::asio;
using std::chrono::steady_clock;

constexpr std::size_t page_events = 100;
constexpr std::size_t page_events_max = 1'000;
constexpr std::size_t stream_page_events = 500;
constexpr int pages_per_request_max = 20;  // Of a page whose events are mostly others' to see.
constexpr std::chrono::milliseconds tail_pause{100};

enum class format { page, ndjson, live };

/// Which events a caller asks for and may see.
struct wanted_events {
    eventlog::read_query query;
    domain::caller who;
    bool show_personal = false;
    bool all_workspaces = false;  ///< No filter beyond the query's is needed.
    /// What is known of an unbound key's workspaces.
    std::unordered_map<domain::uuid, bool> readable;
};

/// A hash of a link's password is nobody's to see, sealed or not.
[[nodiscard]] bool holds_secret(std::string_view type) {
    return type == "link.created" || type == "link.updated";
}

[[nodiscard]] eventlog::result<std::string> personal_text(eventlog::recorded_event const& event,
                                                          eventlog::keyring& keys, bool shown) {
    if (!shown || event.body.personal.bytes.empty() || holds_secret(event.body.type)) return "null";
    BOOST_OUTCOME_TRY(auto const opened,
                      keys.open(event.body.personal, event.body.event_id, eventlog::sealed_part::personal));
    return opened && !opened->empty() ? *opened : std::string{"null"};
}

/// `data`, `metadata` and `personal` are JSON text already and go out as they were stored.
[[nodiscard]] eventlog::result<void> append_event(std::string& to, eventlog::recorded_event const& event,
                                                  eventlog::keyring& keys, bool show_personal) {
    BOOST_OUTCOME_TRY(auto const personal, personal_text(event, keys, show_personal));
    auto const& body = event.body;
    to += "{\"position\":" + std::to_string(event.position) + ",\"event_id\":";
    json::append_text(to, body.event_id);
    to += ",\"stream\":";
    json::append_text(to, event.stream);
    to += ",\"version\":" + std::to_string(event.version) + ",\"workspace_id\":";
    if (body.workspace_id.is_nil())
        to += "null";
    else
        json::append_text(to, body.workspace_id);
    to += ",\"type\":";
    json::append_text(to, body.type);
    to += ",\"schema_version\":" + std::to_string(body.schema_version) + ",\"occurred_at\":";
    json::append_text(to, body.occurred_at);
    to += ",\"recorded_at\":";
    json::append_text(to, event.recorded_at);
    to += ",\"data\":" + body.data + ",\"personal\":" + personal + ",\"metadata\":" + body.metadata + "}";
    return eventlog::result<void>{boost::outcome_v2::in_place_type<void>};
}

/// Drops what an unbound key's user may not see: events of other workspaces, and of none but their own.
[[nodiscard]] awaitable<eventlog::result<void>> filter(shared_state& shared, wanted_events& wanted,
                                                       std::vector<eventlog::recorded_event>& events) {
    using eventlog::result;
    if (wanted.all_workspaces) co_return boost::outcome_v2::success();
    auto const own = domain::stream_of(wanted.who.user_id);
    for (auto const& event : events) {
        auto const& workspace = event.body.workspace_id;
        if (workspace.is_nil() || wanted.readable.contains(workspace)) continue;
        domain::workspace_id const id{workspace};
        auto const outcome = co_await shared.on.bus.may_read(wanted.who, id, domain::scope::audit);
        if (auto const* failed = std::get_if<eventlog::failure>(&outcome)) co_return *failed;
        wanted.readable[workspace] = std::get<bool>(outcome);
    }
    std::erase_if(events, [&](eventlog::recorded_event const& event) {
        auto const& workspace = event.body.workspace_id;
        return workspace.is_nil() ? event.stream != own : !wanted.readable[workspace];
    });
    co_return boost::outcome_v2::success();
}

/// Events after the query's position, filtered; moves the query on.
struct fetched {
    std::vector<eventlog::recorded_event> events;
    bool at_head = false;
};
[[nodiscard]] awaitable<eventlog::result<fetched>> fetch(shared_state& shared, wanted_events& wanted) {
    std::optional<eventlog::result<eventlog::read_page>> page;
    auto work = [&] {
        page.emplace(shared.on.log.read(wanted.query));
        return true;
    };
    co_await commands::run_blocking(shared.blocking, std::move(work));
    if (!page->has_value()) co_return page->error();
    fetched got;
    got.at_head = page->value().events.size() < wanted.query.limit;
    got.events = std::move(page->value().events);
    wanted.query.after = std::max(wanted.query.after, page->value().scanned_to);
    auto const filtered = co_await filter(shared, wanted, got.events);
    if (!filtered.has_value()) co_return filtered.error();
    co_return got;
}

enum class framing { list, lines, sse };

/// Opening personal parts may ask the store for keys, so it is done off the server's threads.
[[nodiscard]] awaitable<eventlog::result<std::string>> render(
    shared_state& shared, std::vector<eventlog::recorded_event> const& events, bool show_personal,
    framing how) {
    eventlog::result<std::string> text = std::string{};
    auto work = [&] {
        std::string made;
        for (auto const& event : events) {
            if (how == framing::list && !made.empty()) made += ',';
            if (how == framing::sse)
                made += "id: " + std::to_string(event.position) + "\nevent: " + event.body.type + "\ndata: ";
            auto const done = append_event(made, event, shared.on.keys, show_personal);
            if (!done.has_value()) {
                text = done.error();
                return true;
            }
            if (how == framing::lines) made += '\n';
            if (how == framing::sse) made += "\n\n";
        }
        text = std::move(made);
        return true;
    };
    co_await commands::run_blocking(shared.blocking, std::move(work));
    co_return text;
}

[[nodiscard]] format format_of(request const& from) {
    auto const accept = from.header("Accept");
    if (accept.find("text/event-stream") != std::string_view::npos) return format::live;
    if (accept.find("application/x-ndjson") != std::string_view::npos) return format::ndjson;
    return format::page;
}

struct event_stream {
    event_stream(exchange const& x, wanted_events w, format h, stream_place p)
        : shared(x.shared), credential(x.credential), wanted(std::move(w)), how(h), place(std::move(p)) {}
    shared_state& shared;
    std::string credential;
    wanted_events wanted;
    format how;
    std::optional<std::int64_t> left;  ///< By `limit`.
    stream_place place;
};

/// Waits for the tail to bring something, a moment at a time.
[[nodiscard]] awaitable<void> pause_live() {
    auto const executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, tail_pause);
    boost::system::error_code ec;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
}

/// Whether the key still may; what is known of its workspaces is asked again.
[[nodiscard]] awaitable<bool> still_may(event_stream& of) {
    if (!co_await still_authentic(of.shared, of.credential, domain::scope::audit)) co_return false;
    of.wanted.readable.clear();
    if (of.wanted.who.root || !of.wanted.query.workspace_id) co_return true;
    domain::workspace_id const workspace{*of.wanted.query.workspace_id};
    auto const outcome = co_await of.shared.on.bus.may_read(of.wanted.who, workspace, domain::scope::audit);
    auto const* const may = std::get_if<bool>(&outcome);
    co_return may == nullptr || *may;
}

[[nodiscard]] awaitable<void> write_stream(std::shared_ptr<event_stream> self, body_writer& to) {
    auto& wanted = self->wanted;
    bool const live = self->how == format::live;
    auto last_write = steady_clock::now();
    auto last_check = last_write;
    std::string_view const opening = ": live\n\n";
    if (live && !co_await to.write(opening)) co_return;
    auto const framed = live ? framing::sse : framing::lines;
    while (!to.stopping() && self->left.value_or(1) > 0) {
        if (steady_clock::now() - last_check >= self->shared.options.stream_check) {
            bool const may = co_await still_may(*self);
            if (!may && !live) throw std::runtime_error("the key may not read the log any more");
            if (!may) co_return;
            last_check = steady_clock::now();
        }
        if (self->left) wanted.query.limit = std::min<std::size_t>(stream_page_events, *self->left);
        auto got = co_await fetch(self->shared, wanted);
        // A live tail outlives an outage of the store; a listing must not look complete.
        if (!got.has_value() && !live) throw std::runtime_error("the log could not be read to the end");
        if (got.has_value() && !got.value().events.empty()) {
            auto const& events = got.value().events;
            auto const text = co_await render(self->shared, events, wanted.show_personal, framed);
            if (!text.has_value()) throw std::runtime_error("an event could not be shown");
            if (!co_await to.write(text.value())) co_return;
            if (self->left) *self->left -= static_cast<std::int64_t>(events.size());
            last_write = steady_clock::now();
        }
        if (got.has_value() && !got.value().at_head) continue;
        if (!live) co_return;
        if (steady_clock::now() - last_write >= stream_heartbeat) {
            std::string_view const beat = ": \n\n";
            if (!co_await to.write(beat)) co_return;
            last_write = steady_clock::now();
        }
        co_await pause_live();
        // The tail knows whether there is anything to read; ask the log only then.
        for (int quiet = 0; quiet < 50 && !to.stopping(); ++quiet) {
            if (self->shared.on.bus.stats().tail_position > wanted.query.after) break;
            co_await pause_live();
        }
    }
}

void start_stream(exchange& x, wanted_events wanted, format how) {
    auto place = stream_place::take(x.shared);
    if (!place) {
        x.refuse(eventlog::failure{eventlog::failure_code::queue_full, "too many streams of events"});
        return;
    }
    auto const limit = x.integer("limit");
    wanted.query.limit = stream_page_events;
    auto self = std::make_shared<event_stream>(x, std::move(wanted), how, std::move(*place));
    self->left = limit;
    x.to.add_header("Content-Type", how == format::live ? "text/event-stream" : "application/x-ndjson");
    x.to.add_header("Cache-Control", "no-store");
    x.to.add_header("X-Content-Type-Options", "nosniff");
    x.to.stream = [self](body_writer& to) { return write_stream(self, to); };
}

/// Answers with one page. `limit` events at most; fewer mean the head, or that others' events lie between:
/// `after` is the cursor to go on from.
[[nodiscard]] awaitable<void> answer_page(exchange& x, wanted_events wanted) {
    auto const limit = static_cast<std::size_t>(x.integer("limit").value_or(page_events));
    std::vector<eventlog::recorded_event> events;
    for (int pages = 0; pages < pages_per_request_max && events.size() < limit; ++pages) {
        wanted.query.limit = limit - events.size();
        auto got = co_await fetch(x.shared, wanted);
        if (!got.has_value()) {
            x.refuse(got.error());
            co_return;
        }
        std::move(got.value().events.begin(), got.value().events.end(), std::back_inserter(events));
        if (got.value().at_head) break;
    }
    std::optional<eventlog::result<eventlog::log_head>> head;
    std::function<void()> ask = [&] { head.emplace(x.shared.on.log.head()); };
    if (!co_await run_off_thread(x, std::move(ask))) co_return;
    auto const items = co_await render(x.shared, events, wanted.show_personal, framing::list);
    if (!head->has_value() || !items.has_value()) {
        x.refuse(head->has_value() ? items.error() : head->error());
        co_return;
    }
    x.answer_json("{\"items\":[" + items.value() + "],\"after\":" + std::to_string(wanted.query.after) +
                  ",\"head\":" + std::to_string(head->value().last) + "}");
}

/// The first event of a stream. None: there is no such stream, or the log is away; refused.
[[nodiscard]] awaitable<std::optional<eventlog::recorded_event>> first_of(exchange& x, std::string stream,
                                                                          std::string_view what) {
    std::optional<eventlog::result<std::vector<eventlog::recorded_event>>> first;
    std::function<void()> ask = [&] { first.emplace(x.shared.on.log.read_stream(stream, 0, 1)); };
    if (!co_await run_off_thread(x, std::move(ask))) co_return std::nullopt;
    if (!first->has_value()) {
        x.refuse(first->error());
        co_return std::nullopt;
    }
    if (first->value().empty()) {
        x.refuse_unknown(what);
        co_return std::nullopt;
    }
    co_return std::move(first->value().front());
}

/// The events of one stream. Who may read its workspace sees it; of a stream that belongs to no workspace,
/// its user and the first admin.
[[nodiscard]] awaitable<void> answer_history(exchange& x, std::string stream, std::string_view what) {
    auto const first = co_await first_of(x, stream, what);
    if (!first) co_return;
    domain::workspace_id const workspace{first->body.workspace_id};
    bool const is_own = !x.who.workspace_id && stream == domain::stream_of(x.who.user_id);
    if (workspace.value.is_nil() && !is_own && !x.who.root) {
        x.refuse_unknown(what);
        co_return;
    }
    if (!workspace.value.is_nil() && !co_await may_read(x, workspace)) co_return;
    wanted_events wanted;
    wanted.query.stream = std::move(stream);
    wanted.query.after = x.integer("after").value_or(0);
    wanted.who = x.who;
    wanted.all_workspaces = true;
    wanted.show_personal = domain::has_scope(x.who, domain::scope::audit);
    co_await answer_page(x, std::move(wanted));
}

}  // namespace

awaitable<void> get_link_history(exchange& x) {
    co_await answer_history(x, domain::stream_of(domain::link_id{x.id()}), "link");
}

awaitable<void> get_workspace_history(exchange& x) {
    co_await answer_history(x, domain::stream_of(domain::workspace_id{x.id()}), "workspace");
}

awaitable<void> get_api_key_history(exchange& x) {
    co_await answer_history(x, domain::stream_of(domain::api_key_id{x.id()}), "API key");
}

awaitable<void> get_user_history(exchange& x) {
    co_await answer_history(x, domain::stream_of(domain::user_id{x.id()}), "user");
}

awaitable<void> get_events(exchange& x) {
    wanted_events wanted;
    wanted.who = x.who;
    wanted.show_personal = true;
    wanted.query.after = x.integer("after").value_or(0);
    wanted.query.stream = x.text("stream").value_or("");
    if (auto const type = x.text("type")) wanted.query.types = {*type};
    wanted.query.workspace_id = x.uuid("workspace_id");
    if (x.who.workspace_id) {
        auto const& own = x.who.workspace_id->value;
        if (wanted.query.workspace_id.value_or(own) != own) {
            x.refuse_unknown("workspace");
            co_return;
        }
        wanted.query.workspace_id = own;
    }
    if (wanted.query.workspace_id) {
        domain::workspace_id const workspace{*wanted.query.workspace_id};
        if (!co_await may_read(x, workspace)) co_return;
    }
    wanted.all_workspaces = x.who.root || wanted.query.workspace_id.has_value();
    auto const how = format_of(x.from);
    if (how == format::page) {
        co_await answer_page(x, std::move(wanted));
        co_return;
    }
    auto const last_id = x.from.header("Last-Event-ID");
    if (how == format::live && !last_id.empty()) {
        auto& after = wanted.query.after;
        auto const [end, ec] = std::from_chars(last_id.data(), last_id.data() + last_id.size(), after);
        if (ec != std::errc{} || end != last_id.data() + last_id.size() || after < 0) {
            x.refuse(domain::invalid_field("Last-Event-ID", "must be a position"));
            co_return;
        }
    }
    start_stream(x, std::move(wanted), how);
}

}  // namespace linkledger::api
