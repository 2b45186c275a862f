// The verifiable log: checkpoint and tiles as C2SP tlog-tiles has them, and proofs of single events.

#include "api/exchange.h"
#include "api/handlers.h"
#include "domain/streams.h"
#include "eventlog/json_reflect.h"
#include "eventlog/merkle/note.h"
#include "eventlog/merkle/opening.h"
#include "eventlog/merkle/published.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <charconv>

namespace linkledger::api {

namespace {

namespace asio = boost::asio;
namespace merkle = eventlog::merkle;

constexpr std::string_view never_changes = "public, max-age=31536000, immutable";
constexpr std::chrono::milliseconds signing_pause{100};
constexpr int signing_pauses_max = 30;

void send_body(exchange& x, std::string_view media_type, std::string_view caching, std::string body) {
    x.to.add_header("Content-Type", media_type);
    x.to.add_header("Cache-Control", caching);
    x.to.add_header("X-Content-Type-Options", "nosniff");
    x.to.body = std::move(body);
}

/// False: this process publishes no log, and that was answered.
bool has_tree(exchange& x) {
    if (x.shared.on.tree != nullptr) return true;
    x.refuse_not_found("This process publishes no verifiable log.");
    return false;
}

/// Asks the published log off the server's threads. None: refused, and answered.
template <typename T>
[[nodiscard]] awaitable<std::optional<T>> ask(
    exchange& x, std::function<eventlog::result<T>(merkle::published_log&)> question) {
    std::optional<eventlog::result<T>> outcome;
    std::function<void()> work = [&] { outcome.emplace(question(*x.shared.on.tree)); };
    if (!co_await run_off_thread(x, std::move(work))) co_return std::nullopt;
    if (!outcome->has_value()) {
        x.refuse(outcome->error());
        co_return std::nullopt;
    }
    co_return std::move(outcome->value());
}

/// Whether the caller may see the event, by the rule of /v1/events. False: refused, and answered.
[[nodiscard]] awaitable<bool> may_see(exchange& x, eventlog::recorded_event const& event) {
    if (x.who.root) co_return true;
    domain::workspace_id const workspace{event.body.workspace_id};
    bool const bound_elsewhere = x.who.workspace_id && *x.who.workspace_id != workspace;
    bool const nobodys = workspace.value.is_nil();
    if (bound_elsewhere || (nobodys && event.stream != domain::stream_of(x.who.user_id))) {
        x.refuse_unknown("event");
        co_return false;
    }
    if (nobodys) co_return true;
    co_return co_await may_read(x, workspace);
}

[[nodiscard]] awaitable<void> pause_for_signer() {
    auto const executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, signing_pause);
    boost::system::error_code ec;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
}

/// The proof, once the event is under a signed head. None: refused, and answered.
[[nodiscard]] awaitable<std::optional<merkle::event_proof>> proof_of(exchange& x, eventlog::position at) {
    using proof = std::optional<merkle::event_proof>;
    using last = eventlog::position;
    for (int tries = 0; tries <= signing_pauses_max; ++tries) {
        std::function<eventlog::result<proof>(merkle::published_log&)> prove =
            [at](merkle::published_log& tree) { return tree.proof(at); };
        auto made = co_await ask<proof>(x, std::move(prove));
        if (!made) co_return std::nullopt;
        if (*made) co_return std::move(**made);
        std::function<eventlog::result<last>(merkle::published_log&)> look =
            [&x](merkle::published_log&) -> eventlog::result<last> {
            BOOST_OUTCOME_TRY(auto const head, x.shared.on.log.head());
            return head.last;
        };
        auto const head = co_await ask<last>(x, std::move(look));
        if (!head) co_return std::nullopt;
        if (at < 1 || at > *head) {
            x.refuse_unknown("event");
            co_return std::nullopt;
        }
        co_await pause_for_signer();
    }
    problem const behind{504, "projection_behind", "No signed head covers this event yet.", {}, 1};
    x.refuse(behind);
    co_return std::nullopt;
}

}  // namespace

awaitable<void> get_checkpoint(exchange& x) {
    if (!has_tree(x)) co_return;
    using head = std::optional<merkle::signed_head>;
    std::function<eventlog::result<head>(merkle::published_log&)> look = [](merkle::published_log& tree) {
        return tree.head();
    };
    auto const found = co_await ask<head>(x, std::move(look));
    if (!found) co_return;
    if (!*found) {
        x.refuse_not_found("No head of the log is signed yet.");
        co_return;
    }
    send_body(x, "text/plain; charset=utf-8", "no-cache", (*found)->checkpoint);
}

awaitable<void> get_log_tile(exchange& x) {
    if (!has_tree(x)) co_return;
    auto const at = merkle::parse_tile_path("tile/" + std::string{x.path_values[0]});
    if (!at) {
        x.refuse_not_found("This is not the path of a tile.");
        co_return;
    }
    using bytes = std::optional<std::string>;
    std::function<eventlog::result<bytes>(merkle::published_log&)> look =
        [tile = *at](merkle::published_log& tree) {
            return tile.is_entries ? tree.entries(tile) : tree.tile(tile);
        };
    auto found = co_await ask<bytes>(x, std::move(look));
    if (!found) co_return;
    if (!*found) {
        x.refuse_not_found("The signed log has no such tile (yet).");
        co_return;
    }
    send_body(x, "application/octet-stream", never_changes, std::move(**found));
}

awaitable<void> get_event_proof(exchange& x) {
    if (!has_tree(x)) co_return;
    auto const text = x.path_values[0];
    eventlog::position at = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), at);
    if (error != std::errc{} || end != text.data() + text.size()) {
        x.refuse(domain::invalid_field("position", "must be a position of the log"));
        co_return;
    }
    auto const proof = co_await proof_of(x, at);
    if (!proof) co_return;
    if (!co_await may_see(x, proof->event)) co_return;
    if (x.from.header("Accept").find("text/plain") != std::string_view::npos) {
        send_body(x, "text/plain; charset=utf-8", "no-store", proof->text);
        co_return;
    }
    std::string body = "{\"position\":" + std::to_string(at) + ",\"leaf_hash\":";
    json::append_text(body, merkle::to_base64(proof->event.leaf_hash));
    body += ",\"entry\":";
    json::append_text(body, merkle::to_base64(merkle::entry_of(proof->event)));
    body += ",\"proof\":";
    json::append_text(body, proof->text);
    body += ",\"opening\":" + merkle::to_opening(proof->event) + '}';
    x.answer_json(std::move(body));
}

}  // namespace linkledger::api
