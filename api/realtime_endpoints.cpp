// The real-time counters: now, and live as server-sent events.

#include "api/authentication.h"
#include "api/exchange.h"
#include "api/handlers.h"
#include "api/json_text.h"
#include "commands/async.h"
#include "eventlog/crypto.h"
#include "projections/read_store.h"
#include "projections/realtime/redis_reader.h"
#include "projections/runner.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace linkledger::api {

namespace {

namespace asio = boost::asio;
namespace realtime = projections::realtime;
using projections::realtime::placed_count;
using projections::realtime::realtime_count;
using std::chrono::steady_clock;

constexpr std::string_view model = "realtime";
/// A subscriber gets no more than five counts a second, whatever the traffic.
constexpr std::chrono::milliseconds counts_pause{200};
constexpr std::chrono::milliseconds move_patience{500};

/// Whose counter.
struct counter_name {
    domain::uuid id;
    bool is_link = false;
};

struct count_stream {
    count_stream(exchange const& x, counter_name const& n, stream_place p)
        : shared(x.shared), credential(x.credential), of(n), place(std::move(p)) {}
    shared_state& shared;
    std::string credential;
    counter_name of;
    stream_place place;
};

/// From Redis, at `after` or later; none: the table has to be asked. Blocks.
[[nodiscard]] std::optional<placed_count> find_in_redis(shared_state const& shared, counter_name const& of,
                                                        eventlog::position after) {
    if (shared.on.counts == nullptr) return std::nullopt;
    auto found = shared.on.counts->find(of.id, of.is_link);
    if (found && found->position < after) found.reset();
    return found;
}

/// None while the read models cannot be read.
[[nodiscard]] awaitable<std::optional<placed_count>> read_count(shared_state& shared, counter_name of) {
    auto work = [&shared, of]() -> std::optional<placed_count> {
        if (auto const there = find_in_redis(shared, of, 0)) return there;
        placed_count found;
        try {
            shared.on.reads.read(std::string{model}, [&](projections::snapshot const& now) {
                found = {now.position, realtime::get_count(now.rows, of.id, eventlog::now())};
            });
        } catch (sql::error const&) {
            return std::nullopt;
        }
        return found;
    };
    co_return co_await commands::run_blocking(shared.blocking, std::move(work));
}

[[nodiscard]] awaitable<void> pause_for(std::chrono::milliseconds time) {
    auto const executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, time);
    boost::system::error_code ec;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
}

/// Until the projection has moved past `seen`, or half a second.
[[nodiscard]] awaitable<void> wait_for_move(shared_state& shared, eventlog::position seen) {
    auto* const runner = shared.on.runner;
    if (runner == nullptr) co_return;
    auto start = [runner, seen](commands::resumption<bool> const& done) {
        runner->when_at(std::string{model}, seen + 1, move_patience, done);
    };
    (void)co_await commands::await_call<bool>(std::move(start));
}

/// Each change, and a comment now and then, so that a client that has gone is noticed.
[[nodiscard]] awaitable<void> write_counts(std::shared_ptr<count_stream> self, body_writer& to) {
    std::optional<placed_count> last;
    auto last_write = steady_clock::now();
    auto last_check = last_write;
    std::string_view const opening = "retry: 1000\n\n";
    if (!co_await to.write(opening)) co_return;
    while (!to.stopping()) {
        if (steady_clock::now() - last_check >= self->shared.options.stream_check) {
            if (!co_await still_authentic(self->shared, self->credential, domain::scope::read)) co_return;
            last_check = steady_clock::now();
        }
        auto const now = co_await read_count(self->shared, self->of);
        if (now && (!last || now->count != last->count)) {
            std::string const event =
                "id: " + std::to_string(now->position) + "\ndata: " + to_json_text(now->count) + "\n\n";
            if (!co_await to.write(event)) co_return;
            last_write = steady_clock::now();
        }
        if (now) last = now;
        if (steady_clock::now() - last_write >= stream_heartbeat) {
            std::string_view const beat = ": \n\n";
            if (!co_await to.write(beat)) co_return;
            last_write = steady_clock::now();
        }
        co_await pause_for(counts_pause);
        if (last && !to.stopping()) co_await wait_for_move(self->shared, last->position);
    }
}

[[nodiscard]] awaitable<bool> may_read_count(exchange& x, counter_name of) {
    if (of.is_link) {
        bool const may_link = co_await may_read_link(x);
        co_return may_link;
    }
    domain::workspace_id const workspace{of.id};
    bool const may_workspace = co_await may_read(x, workspace);
    co_return may_workspace;
}

[[nodiscard]] awaitable<void> answer_count(exchange& x, bool is_link) {
    counter_name const of{x.id(), is_link};
    if (!co_await may_read_count(x, of)) co_return;
    if (x.from.header("Accept").find("text/event-stream") != std::string_view::npos) {
        auto place = stream_place::take(x.shared);
        if (!place) {
            x.refuse(eventlog::failure{eventlog::failure_code::queue_full, "too many streams"});
            co_return;
        }
        auto const self = std::make_shared<count_stream>(x, of, std::move(*place));
        x.to.add_header("Content-Type", "text/event-stream");
        x.to.add_header("Cache-Control", "no-store");
        x.to.add_header("X-Content-Type-Options", "nosniff");
        x.to.stream = [self](body_writer& to) { return write_counts(self, to); };
        co_return;
    }
    if (x.shared.on.counts != nullptr) {
        auto const after = x.integer("after").value_or(0);
        std::optional<placed_count> found;
        std::function<void()> ask = [&] { found = find_in_redis(x.shared, of, after); };
        if (!co_await run_off_thread(x, std::move(ask))) co_return;
        if (found) {
            x.note_position(found->position);
            x.answer_json(to_json_text(found->count));
            co_return;
        }
    }
    realtime_count count;
    std::function<void(sql::connection&)> work = [&](sql::connection& rows) {
        count = realtime::get_count(rows, of.id, eventlog::now());
    };
    if (!co_await read_model(x, model, std::move(work))) co_return;
    x.answer_json(to_json_text(count));
}

}  // namespace

awaitable<void> get_link_realtime(exchange& x) {
    return answer_count(x, true);
}

awaitable<void> get_workspace_realtime(exchange& x) {
    return answer_count(x, false);
}

}  // namespace linkledger::api
