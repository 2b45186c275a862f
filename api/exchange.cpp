// Input checked against the endpoint's description; reads that wait for their position.

#include "api/exchange.h"

#include "commands/async.h"
#include "eventlog/crypto.h"
#include "eventlog/json.h"
#include "projections/read_store.h"
#include "projections/runner.h"

#include <thread>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <spdlog/spdlog.h>

#include <charconv>

namespace linkledger::api {

namespace {

constexpr std::int64_t wait_ms_default = 5'000;

[[nodiscard]] std::optional<std::int64_t> to_integer(std::string_view text) {
    std::int64_t number = 0;
    auto const [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

[[nodiscard]] bool is_choice(std::string_view choices, std::string_view text) {
    while (!choices.empty()) {
        auto const comma = std::min(choices.find(','), choices.size());
        if (choices.substr(0, comma) == text) return true;
        choices.remove_prefix(std::min(comma + 1, choices.size()));
    }
    return false;
}

/// What is wrong with a value; empty: nothing.
[[nodiscard]] std::string complaint(parameter const& wanted, std::string_view text) {
    switch (wanted.type) {
        case parameter_type::text:
            return text.size() <= 500 ? "" : "must have 500 bytes at most";
        case parameter_type::integer: {
            auto const number = to_integer(text);
            if (number && *number >= wanted.minimum && *number <= wanted.maximum) return "";
            return "must be an integer from " + std::to_string(wanted.minimum) + " to " +
                   std::to_string(wanted.maximum);
        }
        case parameter_type::uuid:
            return domain::parse_uuid(text) ? "" : "must be a UUID";
        case parameter_type::time:
            return domain::parse_timestamp(text) ? "" : "must be an RFC 3339 time, like 2026-11-21T03:08:19Z";
        case parameter_type::boolean:
            return text == "true" || text == "false" ? "" : "must be true or false";
        case parameter_type::choice:
            return is_choice(wanted.choices, text) ? "" : "must be one of " + std::string{wanted.choices};
    }
    return "";
}

/// One line a second at most: in an outage every request fails, and the metrics count them.
void log_failure(request const& from, eventlog::failure const& what) {
    static std::atomic<std::int64_t> last_second{0};
    auto const now = std::chrono::steady_clock::now().time_since_epoch();
    auto const second = std::chrono::duration_cast<std::chrono::seconds>(now).count();
    if (last_second.exchange(second) == second) return;
    spdlog::warn("{} {} failed: {}", method_text(from.verb), from.path, what.detail);
}

}  // namespace

std::optional<stream_place> stream_place::take(shared_state& of) {
    if (++of.streams <= of.options.streams_max) return stream_place{of.streams};
    --of.streams;
    return std::nullopt;
}

bool exchange::check_headers() {
    constexpr std::array<std::string_view, 6> once{"Authorization",   "Content-Type", "Content-Encoding",
                                                   "Idempotency-Key", "If-Match",     "Last-Event-ID"};
    for (auto const& name : once) {
        auto const is_it = [&](header_field const& field) { return equal_ignoring_case(field.name, name); };
        if (std::count_if(from.headers.begin(), from.headers.end(), is_it) < 2) continue;
        refuse(domain::invalid_field(std::string{name}, "must be sent once"));
        return false;
    }
    return true;
}

bool exchange::check_parameters() {
    domain::refusal bad{domain::refusal_code::invalid_input, "", {}};
    if (at->path.find("{id}") != std::string_view::npos && !domain::parse_uuid(path_values[0]))
        bad.fields.push_back({"id", "must be a UUID"});
    auto given = parse_form(from.query);
    if (!given) bad.fields.push_back({"query", "must be percent-encoded UTF-8"});
    if (given) parameters_ = std::move(*given);
    auto const wanted = parameters_of(*at);
    for (auto const& [name, value] : parameters_) {
        auto const known = std::find_if(wanted.begin(), wanted.end(),
                                        [&](parameter const& each) { return each.name == name; });
        auto const same_name = [&](auto const& pair) { return pair.first == name; };
        std::string why = "is not a known parameter";
        if (known != wanted.end()) {
            why = complaint(*known, value);
            if (std::count_if(parameters_.begin(), parameters_.end(), same_name) > 1) why = "is given twice";
        }
        if (!why.empty() && bad.fields.size() < 20)
            bad.fields.push_back({json::storable_text(name.substr(0, 100)), why});
    }
    if (bad.fields.empty()) return true;
    bad.detail = bad.fields.front().field + " " + bad.fields.front().message + ".";
    refuse(bad);
    return false;
}

std::optional<std::string> exchange::text(std::string_view name) const {
    for (auto const& [known, value] : parameters_)
        if (known == name) return value;
    return std::nullopt;
}
std::optional<std::int64_t> exchange::integer(std::string_view name) const {
    auto const value = text(name);
    return value ? to_integer(*value) : std::nullopt;
}
std::optional<domain::uuid> exchange::uuid(std::string_view name) const {
    auto const value = text(name);
    return value ? domain::parse_uuid(*value) : std::nullopt;
}
std::optional<domain::timestamp> exchange::time(std::string_view name) const {
    auto const value = text(name);
    return value ? domain::parse_timestamp(*value) : std::nullopt;
}
std::optional<bool> exchange::boolean(std::string_view name) const {
    auto const value = text(name);
    return value ? std::optional{*value == "true"} : std::nullopt;
}
domain::uuid exchange::id() const {
    return domain::parse_uuid(path_values[0]).value_or(domain::uuid{});
}

void exchange::refuse(eventlog::failure const& what) {
    log_failure(from, what);
    send(to, problem_of(what));
}

void exchange::refuse_not_found(std::string detail) {
    refuse(domain::refusal{domain::refusal_code::not_found, std::move(detail), {}});
}

void exchange::refuse_unknown(std::string_view what) {
    refuse_not_found("There is no such " + std::string{what} + " for this key.");
}

void exchange::answer_json(std::string text) {
    to.add_header("Content-Type", at ? at->media_type : "application/json");
    to.add_header("Cache-Control", "no-store");
    to.add_header("X-Content-Type-Options", "nosniff");
    if (position_) to.add_header("X-Projection-Position", std::to_string(*position_));
    to.body = std::move(text);
}

void exchange::note_position(eventlog::position at_position) {
    position_ = std::min(position_.value_or(at_position), at_position);
}

awaitable<bool> run_off_thread(exchange& x, std::function<void()> work) {
    auto& queued = x.shared.blocking_queued;
    if (queued.fetch_add(1) >= x.shared.options.blocking_queue_max) {
        queued.fetch_sub(1);
        x.refuse(eventlog::failure{eventlog::failure_code::queue_full, "too many reads are waiting"});
        co_return false;
    }
    std::optional<sql::error> error;
    std::optional<std::string> unreadable;
    auto guarded = [&] {
        struct leaving {
            std::atomic<std::size_t>& count;
            ~leaving() { count.fetch_sub(1); }
        } const on_return{queued};
        try {
            work();
        } catch (sql::error const& thrown) {
            error = thrown;
        } catch (projections::unreadable_version const& thrown) {
            unreadable = thrown.what();
        }
        return true;
    };
    co_await commands::run_blocking(x.shared.blocking, std::move(guarded));
    if (unreadable) {
        problem const newer{503, "projection_version_unknown", *unreadable, {}, 1};
        x.refuse(newer);
        co_return false;
    }
    if (!error) co_return true;
    if (error->what_kind() == sql::error::kind::other || error->what_kind() == sql::error::kind::constraint)
        throw std::runtime_error(error->what());
    auto const code = error->what_kind() == sql::error::kind::timeout ? eventlog::failure_code::timeout
                                                                      : eventlog::failure_code::unavailable;
    eventlog::failure const failure{code, error->what()};
    x.refuse(failure);
    co_return false;
}

awaitable<bool> read_model(exchange& x, std::string_view projection,
                           std::function<void(projections::snapshot const&)> work,
                           eventlog::position at_least) {
    auto const after = std::max(x.integer("after").value_or(0), at_least);
    std::chrono::milliseconds const patience{x.integer("wait_ms").value_or(wait_ms_default)};
    auto* const runner = x.shared.on.runner;
    bool is_there = false;
    if (after > 0 && runner != nullptr) {
        auto start = [&](commands::resumption<bool> const& done) {
            runner->when_at(std::string{projection}, after, patience, done);
        };
        is_there = co_await commands::await_call<bool>(std::move(start));
    }
    eventlog::position seen = 0;
    std::function<void()> reading = [&] {
        auto& store = x.shared.on.reads;
        for (auto const until = std::chrono::steady_clock::now() + patience;;) {
            store.read(std::string{projection}, [&](projections::snapshot const& now) {
                seen = now.position;
                if (seen >= after) work(now);
            });
            // Another version may have been switched in since, and have to catch up a few events.
            if (seen >= after || !is_there || std::chrono::steady_clock::now() >= until) return;
            std::this_thread::sleep_for(std::chrono::milliseconds{10});
        }
    };
    if (!co_await run_off_thread(x, std::move(reading))) co_return false;
    if (seen >= after) {
        x.note_position(seen);
        co_return true;
    }
    problem const behind{
        504, "projection_behind", "The read model is at position " + std::to_string(seen) + ".", {}, 1};
    x.refuse(behind);
    x.to.add_header("X-Projection-Position", std::to_string(seen));
    co_return false;
}

awaitable<bool> may_read(exchange& x, domain::workspace_id const& workspace) {
    auto const needed = x.at->scope.value_or(domain::scope::read);
    auto const outcome = co_await x.shared.on.bus.may_read(x.who, workspace, needed);
    if (auto const* failed = std::get_if<eventlog::failure>(&outcome)) {
        x.refuse(*failed);
        co_return false;
    }
    if (std::get<bool>(outcome)) co_return true;
    x.refuse_unknown("thing");
    co_return false;
}

}  // namespace linkledger::api
