#include "commands/command_bus.h"
#include "commands/async.h"

#include "commands/attempt.h"
#include "commands/edge_cache.h"
#include "commands/erasure.h"
#include "commands/execution.h"
#include "commands/facts.h"
#include "commands/handlers.h"
#include "commands/links_file.h"
#include "commands/own_commits.h"
#include "commands/sealing.h"
#include "commands/secrets.h"
#include "commands/tail.h"
#include "commands/visits.h"
#include "domain/rules.h"
#include "eventlog/codec.h"
#include "eventlog/crypto.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include <spdlog/spdlog.h>

#include <future>

namespace linkledger::commands {
namespace {

using domain::refusal;
using domain::refusal_code;

refusal unauthenticated() {
    // The same for every reason, so that nobody learns which keys exist.
    return {refusal_code::unauthenticated, "The API key is unknown, revoked or expired."};
}

class bus final : public command_bus {
public:
    bus(eventlog::event_log& log, eventlog::committer& committer, eventlog::keyring& keys,
        bus_options const& options)
        : log_(log),
          committer_(committer),
          keys_(keys),
          options_(options),
          pool_(std::max(1u, options.blocking_threads)),
          facts_(log, keys, pool_, options.aggregate_cache_max),
          pipeline_{facts_, keys, pool_, options_, domain::rules::host_of(options.public_url), nullptr},
          execution_(pipeline_, log, committer,
                     [this](plan const& done, eventlog::appended const& at) { apply_own(done, at); }) {}
    ~bus() override { stop(); }

    /// To be called once, before anything else.
    eventlog::result<void> start();

    awaitable<std::variant<domain::caller, refusal, eventlog::failure>> authenticate(
        std::string_view bearer) override;
    awaitable<command_outcome> execute(command_request const& request, sender const& from) override {
        return execution_.run(request, from);
    }
    awaitable<std::vector<command_outcome>> execute_bulk(std::vector<command_request> const& requests,
                                                         sender const& from) override {
        return execution_.run_bulk(requests, from);
    }
    awaitable<visit_outcome> follow(visit const& request) override { return visits_->follow(request); }
    awaitable<std::variant<bool, eventlog::failure>> may_read(domain::caller const& who,
                                                              domain::workspace_id const& workspace,
                                                              domain::scope needed) override;
    eventlog::result<std::optional<std::string>> bootstrap(std::string const& given) override;
    [[nodiscard]] bus_stats stats() const override;
    eventlog::result<void> save_links(std::string const& path) override;
    void stop() override;

private:
    void apply_own(plan const& done, eventlog::appended const& at);
    void apply_tail(eventlog::recorded_event const& stored);
    void apply_to_links(eventlog::recorded_event const& stored, domain::event const& happened);
    void forget_erased(domain::event const& happened);
    void forget_everything();

    eventlog::event_log& log_;
    eventlog::committer& committer_;
    eventlog::keyring& keys_;
    bus_options const options_;
    boost::asio::thread_pool pool_;
    commands::facts facts_;
    pipeline pipeline_;
    execution execution_;
    std::unique_ptr<edge_cache> edge_;
    std::unique_ptr<visits> visits_;
    own_commits own_;
    std::unique_ptr<tail> tail_;
};

eventlog::result<void> bus::start() {
    committer_.around_completions = [](std::function<void()> const& complete) {
        resuming_together const collected;
        complete();
    };
    visits_options wanted;
    wanted.keep_ip = options_.keep_ip;
    wanted.geoip_db = options_.geoip_db;
    wanted.uap_regexes = options_.uap_regexes;
    wanted.user_agents = options_.user_agents;
    wanted.link_cache_max = options_.link_cache_max;
    wanted.click_queued = options_.click_queued;
    wanted.follow_tail = options_.follow_tail;
    wanted.outage = options_.outage;
    if (options_.follow_tail)
        wanted.since_contact = [this] {
            return tail_ ? tail_->since_contact() : std::chrono::milliseconds{0};
        };
    if (options_.redis != nullptr && options_.follow_tail)
        edge_ = std::make_unique<edge_cache>(*options_.redis, log_);
    wanted.edge = edge_.get();
    auto made = create_visits(log_, committer_, keys_, pool_, wanted);
    if (!made) return made.assume_error();
    visits_ = std::move(made.assume_value());
    pipeline_.visits = visits_.get();
    if (!options_.follow_tail) return boost::outcome_v2::success();

    auto head = log_.head();
    std::chrono::milliseconds silence{0};
    if (!head && !options_.links_file.empty()) {
        BOOST_OUTCOME_TRY(auto const remembered, read_links(options_.links_file, visits_->links()));
        head = remembered.history;
        silence = remembered.age(eventlog::now());
    }
    if (!head) return head.assume_error();
    tail_handlers handlers;
    handlers.on_event = [this](eventlog::recorded_event const& stored) { apply_tail(stored); };
    handlers.on_other_history = [this] { forget_everything(); };
    tail_ = std::make_unique<tail>(log_, head.assume_value(), silence, std::move(handlers));
    if (edge_) edge_->start([this] { return tail_->position(); });
    return boost::outcome_v2::success();
}

awaitable<std::variant<domain::caller, refusal, eventlog::failure>> bus::authenticate(
    std::string_view bearer) {
    if (bearer.size() < api_key_characters_min || bearer.size() > api_key_characters_max) {
        co_return unauthenticated();
    }
    std::string prefix = prefix_of(bearer);
    auto const found = co_await facts_.key_by_prefix(std::move(prefix));
    if (!found) co_return found.assume_error();
    domain::api_key::state const& key = *found.assume_value().state;
    bool const is_right = eventlog::equal_in_constant_time(key.key_hash, hash_secret(bearer));
    if (!is_right || !domain::api_key::is_valid(key, eventlog::now())) co_return unauthenticated();
    // The first admin's key goes on: without it nobody could look after the log.
    if (!key.root) {
        auto const owner = co_await facts_.load(key.user_id);
        if (!owner) co_return owner.assume_error();
        if (owner.assume_value().state->erased) co_return unauthenticated();
    }
    co_return domain::api_key::caller_of(key);
}

awaitable<std::variant<bool, eventlog::failure>> bus::may_read(domain::caller const& who,
                                                               domain::workspace_id const& workspace,
                                                               domain::scope needed) {
    if (!domain::has_scope(who, needed)) co_return false;
    if (who.workspace_id && *who.workspace_id != workspace) co_return false;
    // The record of who did what is for those who answer for the workspace.
    auto const at_least = needed == domain::scope::read ? domain::role::viewer : domain::role::admin;
    for (bool is_second_look = false;; is_second_look = true) {
        auto const found = co_await facts_.load(workspace);
        if (!found) co_return found.assume_error();
        auto const& state = found.assume_value();
        if (domain::workspace::standing_of(*state.state, who).role >= at_least) co_return true;
        // A membership that another process has just written may not have come by the tail yet.
        if (is_second_look || !state.is_from_cache) co_return false;
        auto const current = co_await facts_.stream_version(domain::stream_of(workspace));
        if (!current || current.assume_value() == state.version) co_return false;
        facts_.forget(domain::stream_of(workspace));
    }
}

/// The plan for the first user and the first admin key.
planned plan_bootstrap(attempt const& on, std::string const& key) {
    domain::user_id const user{eventlog::new_uuid_v7()};
    domain::user::register_user const registration{user, std::nullopt, "First admin"};
    planned whole = plan_of(on, domain::stream_of(user), 0, {}, domain::user::decide({}, registration), "{}");
    domain::api_key::issue_api_key issue;
    issue.api_key_id = domain::api_key_id{eventlog::new_uuid_v7()};
    issue.user_id = user;
    issue.name = "First admin key";
    issue.prefix = prefix_of(key);
    issue.key_hash = hash_secret(key);
    issue.scopes = domain::api_key::scopes_for(domain::role::owner);
    issue.root = true;
    issue.now = on.now();
    static_cast<void>(add_to(whole, plan_of(on, domain::stream_of(issue.api_key_id), 0, {},
                                            domain::api_key::decide({}, issue), "{}")));
    return whole;
}

/// For a caller without an executor: the pool carries the coroutine while this thread waits. An executor made
/// here could end while a thread that resumed the coroutine on it is still returning from its post; the pool
/// outlives its own threads.
eventlog::result<eventlog::append_request> sealed_in_pool(attempt const& on, plan const& wanted,
                                                          boost::asio::thread_pool& pool) {
    std::optional<eventlog::result<eventlog::append_request>> made;
    auto seal = [&]() -> awaitable<void> {
        std::optional<idempotent_request> const no_identity;
        made.emplace(co_await to_append(on, wanted, no_identity));
    };
    boost::asio::co_spawn(pool, seal, boost::asio::use_future).get();
    return std::move(*made);
}

eventlog::result<std::optional<std::string>> bus::bootstrap(std::string const& given) {
    std::optional<std::string> nothing;
    bool const is_usable =
        given.empty() ||
        (given.size() >= api_key_characters_min && given.size() <= api_key_characters_max &&
         std::all_of(given.begin(), given.end(), [](char c) { return c > ' ' && c < '\x7F'; }));
    if (!is_usable) {
        return eventlog::failure{eventlog::failure_code::unavailable,
                                 "the first admin key must be 20 to 255 visible ASCII characters"};
    }
    auto const head = log_.head();
    if (!head) return head.assume_error();
    if (head.assume_value().last > 0) return nothing;

    std::string const key = given.empty() ? make_api_key() : given;
    sender from;
    from.kind = eventlog::actor_kind::system;
    attempt const on{pipeline_, "Bootstrap", from};
    planned const wanted = plan_bootstrap(on, key);
    auto const& made = std::get<plan>(wanted);

    auto append = sealed_in_pool(on, made, pool_);
    if (!append) return append.assume_error();
    // Shared: the committer's thread may still be leaving set_value when this one goes on.
    auto const promise = std::make_shared<std::promise<eventlog::result<eventlog::append_outcome>>>();
    auto answered = promise->get_future();
    committer_.submit(std::move(append.assume_value()),
                      [promise](eventlog::result<eventlog::append_outcome> outcome) {
                          promise->set_value(std::move(outcome));
                      });
    auto const outcome = answered.get();
    if (!outcome) return outcome.assume_error();
    // Another process was first: its key is the one.
    auto const* done = std::get_if<eventlog::appended>(&outcome.assume_value());
    if (!done) return nothing;
    apply_own(made, *done);
    if (!given.empty()) return nothing;
    return std::optional{key};
}

void bus::apply_own(plan const& done, eventlog::appended const& at) {
    std::size_t count = 0;
    for (stream_plan const& stream : done.streams) count += stream.events.size();
    eventlog::position const first = at.last_position - static_cast<eventlog::position>(count) + 1;
    eventlog::recorded_event stored;
    stored.position = first;
    for (stream_plan const& stream : done.streams) {
        stored.stream = stream.stream;
        stored.version = stream.at;
        for (domain::event const& happened : stream.events) {
            ++stored.version;
            facts_.apply(stored.stream, stored.version, happened, true);
            apply_to_links(stored, happened);
            forget_erased(happened);
            ++stored.position;
        }
    }
    if (tail_ && count > 0) own_.add(first, at.last_position);
}

void bus::apply_tail(eventlog::recorded_event const& stored) {
    if (own_.take(stored.position)) return;
    auto const happened = eventlog::decode(stored, keys_);
    if (happened) {
        facts_.apply(stored.stream, stored.version, happened.assume_value(), false);
        apply_to_links(stored, happened.assume_value());
        forget_erased(happened.assume_value());
        return;
    }
    spdlog::error("the event at position {} cannot be read: {}", stored.position,
                  happened.assume_error().detail);
    facts_.forget(stored.stream);
    visits_->links().clear();
    if (edge_) edge_->forget();
}

/// The table first, then what others are told; what is believed of others, before both.
void bus::apply_to_links(eventlog::recorded_event const& stored, domain::event const& happened) {
    auto& links = visits_->links();
    if (!edge_) return links.apply(stored, happened);
    edge_->note(stored, happened);
    links.apply(stored, happened);
    auto const id = changed_link(happened);
    if (!id) return;
    if (auto const* gone = std::get_if<domain::link::deleted>(&happened)) {
        edge_->put_deleted(gone->short_code, stored.position);
    } else if (auto const link = links.find(*id); link && link->version() == stored.version) {
        edge_->put(link->settings(), stored.position);
    }
}

/// What is held in memory of those who are erased goes at once, and the keys with it: the process that wrote
/// the event may have died before it destroyed them.
void bus::forget_erased(domain::event const& happened) {
    auto const ids = erased_keys_of(happened);
    if (ids.empty()) return;
    for (auto const& id : ids) keys_.forget(id);
    if (auto const* person = std::get_if<domain::erasure::person_erased>(&happened)) {
        for (auto const& one : person->invitations) facts_.forget(domain::stream_of(one.workspace_id));
    }
    boost::asio::post(pool_, [this, ids] {
        for (auto const& id : ids) {
            auto const destroyed = keys_.destroy(id);
            if (destroyed) continue;
            spdlog::error("an erased key could not be destroyed ({}); it is tried again",
                          destroyed.assume_error().detail);
            return;
        }
    });
}

void bus::forget_everything() {
    if (edge_) edge_->forget();
    keys_.forget_all();
    own_.clear();
    facts_.clear();
    visits_->links().clear();
}

bus_stats bus::stats() const {
    bus_stats now;
    auto const counted = visits_->stats();
    now.link_cache_hits = counted.hits;
    now.link_cache_misses = counted.misses;
    now.lost_when_queued = counted.lost_when_queued;
    now.beyond_caps = counted.beyond_caps;
    if (edge_) {
        auto const edge = edge_->stats();
        now.edge_ready = edge.ready;
        now.edge_hits = edge.found;
        now.edge_misses = edge.missed + edge.refused;
    }
    now.link_cache_size = visits_->links().stats().links;
    if (tail_) {
        now.tail_position = tail_->position();
        now.since_log_contact = tail_->since_contact();
    }
    return now;
}

/// The position is taken first: links may be newer than it says, never older.
eventlog::result<void> bus::save_links(std::string const& path) {
    if (!tail_) return boost::outcome_v2::success();
    return write_links(path, {tail_->history(), eventlog::now() - tail_->since_contact()}, visits_->links());
}

void bus::stop() {
    if (tail_) tail_->stop();
    pool_.join();
    if (edge_) edge_->stop();
}

}  // namespace

eventlog::result<std::unique_ptr<command_bus>> create_command_bus(eventlog::event_log& log,
                                                                  eventlog::committer& committer,
                                                                  eventlog::keyring& keys,
                                                                  bus_options const& options) {
    auto made = std::make_unique<bus>(log, committer, keys, options);
    auto const started = made->start();
    if (!started) return started.assume_error();
    return std::unique_ptr<command_bus>{std::move(made)};
}

}  // namespace linkledger::commands
