#pragma once
// A click path on a log in memory, with links written as the commands write them.

#include "commands/user_agent.h"
#include "commands/visits.h"
#include "domain/claims.h"
#include "domain/streams.h"
#include "eventlog/codec.h"
#include "eventlog/committer.h"
#include "eventlog/crypto.h"
#include "eventlog/keyring.h"
#include "eventlog/memory_log.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace linkledger::commands::testing {

/// A stored click, opened.
struct seen_click {
    eventlog::recorded_event stored;
    domain::click::clicked event;
};

class click_path {
public:
    explicit click_path(visits_options const& options = {})
        : log_(eventlog::create_memory_log()),
          keys_(*log_, eventlog::master_key{std::string(32, 'k')}),
          committer_(std::make_unique<eventlog::committer>(*log_, eventlog::committer_options{})) {
        // Loading the regexes takes longer than most tests.
        static std::shared_ptr<user_agent_parser const> const user_agents =
            std::move(user_agent_parser::load(visits_options{}.uap_regexes).value());
        visits_options ready = options;
        if (options.uap_regexes == visits_options{}.uap_regexes) ready.user_agents = user_agents;
        auto made = create_visits(*log_, *committer_, keys_, pool_, ready);
        if (!made) throw std::runtime_error(made.error().detail);
        visits_ = std::move(made.value());
    }
    ~click_path() {
        committer_.reset();
        pool_.join();
    }

    [[nodiscard]] visits& path() { return *visits_; }
    [[nodiscard]] boost::asio::io_context& loop() { return loop_; }
    [[nodiscard]] eventlog::event_log& log() { return *log_; }
    [[nodiscard]] eventlog::keyring& keys() { return keys_; }

    /// Runs a coroutine to its end.
    template <typename T>
    T run(awaitable<T> work) {
        auto result = boost::asio::co_spawn(loop_, std::move(work), boost::asio::use_future);
        loop_.run();
        loop_.restart();
        return result.get();
    }

    visit_outcome follow(visit const& request) { return run(visits_->follow(request)); }
    visit_outcome follow(std::string const& short_code) {
        visit request;
        request.short_code = short_code;
        return follow(request);
    }

    /// Appends a link's events with their claims.
    void happen(domain::link_id const& link, domain::event const& event,
                std::optional<eventlog::data_key> const& key = std::nullopt) {
        auto encoded = eventlog::encode(event);
        eventlog::event_body body;
        body.event_id = eventlog::new_uuid_v7();
        body.type = encoded.type;
        body.schema_version = encoded.schema_version;
        body.workspace_id = workspace.value;
        body.data = encoded.data;
        if (encoded.personal && key)
            body.personal = eventlog::keyring::seal(*key, *encoded.personal, body.event_id,
                                                    eventlog::sealed_part::personal);
        body.metadata = "{}";
        body.occurred_at = eventlog::now();
        body.salt = eventlog::new_salt();
        eventlog::append_request append;
        eventlog::stream_append to;
        to.stream = domain::stream_of(link);
        to.events.push_back(std::move(body));
        append.streams.push_back(std::move(to));
        for (auto const& change : domain::claims_of(event, {}, [](auto) { return std::string(); })) {
            auto const what = change.what == domain::claim::kind::acquire
                                  ? eventlog::claim_change::kind::acquire
                                  : eventlog::claim_change::kind::release;
            append.claims.push_back({what, change.scope, change.key, change.owner});
        }
        std::promise<eventlog::result<eventlog::append_outcome>> done;
        auto outcome = done.get_future();
        committer_->submit(std::move(append), [&](auto result) { done.set_value(std::move(result)); });
        auto const result = outcome.get();
        if (!result || !std::holds_alternative<eventlog::appended>(result.assume_value())) {
            throw std::runtime_error("the append was refused");
        }
    }

    /// A link with the given changes to a plain one.
    domain::link::created create(std::string const& short_code,
                                 std::function<void(domain::link::created&)> const& change = {}) {
        domain::link::created e;
        e.link_id.value = eventlog::new_uuid_v7();
        e.workspace_id = workspace;
        e.short_code = short_code;
        e.url = "https://example.com/" + short_code;
        std::optional<eventlog::data_key> key;
        if (change) change(e);
        if (e.personal) key = *keys_.get_or_create(eventlog::workspace_subject(workspace)).value();
        happen(e.link_id, e, key);
        return e;
    }

    /// Hands what the log gained since the last call to the table, as the tail does.
    void follow_tail() {
        eventlog::read_query query;
        query.after = tail_position_;
        query.excluded_types = {"link.clicked"};
        query.limit = 100'000;
        auto const page = log_->read(query);
        for (auto const& stored : page.value().events) {
            visits_->links().apply(stored, eventlog::decode(stored, keys_).value());
        }
        tail_position_ = page.value().scanned_to;
    }

    [[nodiscard]] std::vector<seen_click> clicks_in(std::string const& stream) {
        std::vector<seen_click> seen;
        auto const events = log_->read_stream(stream, 0, 100'000);
        for (auto const& stored : events.value()) {
            auto const event = eventlog::decode(stored, keys_).value();
            seen.push_back({stored, std::get<domain::click::clicked>(event)});
        }
        return seen;
    }
    [[nodiscard]] std::vector<seen_click> clicks_of(domain::link_id const& link) {
        return clicks_in(domain::clicks_stream_of(link));
    }
    [[nodiscard]] std::vector<seen_click> bots_of(domain::link_id const& link) {
        return clicks_in(domain::bots_stream_of(link));
    }

    domain::workspace_id workspace{eventlog::new_uuid_v7()};

private:
    /// Outlives the threads that post to it: they may still be leaving a post whose handler has run.
    boost::asio::io_context loop_;
    std::unique_ptr<eventlog::event_log> log_;
    eventlog::keyring keys_;
    std::unique_ptr<eventlog::committer> committer_;
    boost::asio::thread_pool pool_{4};
    std::unique_ptr<visits> visits_;
    eventlog::position tail_position_ = 0;
};

/// `not_found`, `link_gone`, …; `redirect`, `password`, `failure` where it is no refusal.
inline std::string kind_of(visit_outcome const& outcome) {
    if (std::holds_alternative<redirect_to>(outcome)) return "redirect";
    if (std::holds_alternative<password_wanted>(outcome)) return "password";
    if (std::holds_alternative<eventlog::failure>(outcome)) return "failure";
    return std::string(domain::code_text(std::get<domain::refusal>(outcome).code));
}

}  // namespace linkledger::commands::testing
