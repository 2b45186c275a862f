#pragma once
// One command on its way: what it was sent with, what was loaded for it, and the plan that its handler makes.

#include "commands/command_bus.h"
#include "commands/facts.h"
#include "commands/inputs.h"
#include "domain/claims.h"
#include "domain/decision.h"
#include "eventlog/keyring.h"

#include <boost/asio/thread_pool.hpp>

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace linkledger::commands {

class visits;

/// Events for one stream, decided on its state at `at`. Without events: the plan rests on that state.
struct stream_plan {
    std::string stream;
    eventlog::version at = 0;
    domain::uuid workspace_id{};  ///< Nil: of no workspace.
    std::vector<domain::event> events;
};

/// What a handler wants to happen, as a whole or not at all, and the answer if it does.
struct plan {
    std::vector<stream_plan> streams;
    std::size_t primary = 0;  ///< The command's own stream among them: the answer names it.
    std::vector<domain::claim> claims;
    std::string result;                            ///< JSON object text.
    std::optional<std::string> subject{};          ///< The sender's key, where the sender is no caller.
    std::optional<domain::user_id> acting_user{};  ///< Likewise.
    std::optional<eventlog::append_request>
        prepared{};                           ///< Instead of streams: ready to be appended (clicks).
    std::vector<domain::uuid> erased_keys{};  ///< Destroyed once it is appended, before the answer.
    /// Of a prepared click: a version conflict means that this link is at max_clicks.
    std::optional<domain::link_id> capped_link{};
};
using planned = std::variant<plan, domain::refusal, eventlog::failure>;

/// What handlers work with; lives as long as the bus.
struct pipeline {
    commands::facts& facts;
    eventlog::keyring& keys;
    boost::asio::thread_pool& pool;
    bus_options const& options;
    std::string own_host;
    commands::visits* visits = nullptr;

    /// The keyed hash of an e-mail address, for claims and subjects.
    [[nodiscard]] std::string email_hash(std::string_view email) const;
    [[nodiscard]] std::string short_url(std::string_view short_code) const;
};

/// One command through all its tries.
class attempt {
public:
    attempt(pipeline const& p, std::string_view command, sender const& from);

    [[nodiscard]] pipeline const& with() const { return pipeline_; }
    [[nodiscard]] sender const& from() const { return from_; }
    /// Commands that need a scope have a caller.
    [[nodiscard]] domain::caller const& by() const { return *from_.caller; }
    [[nodiscard]] std::string_view command() const { return command_; }
    [[nodiscard]] domain::uuid const& command_id() const { return command_id_; }
    [[nodiscard]] domain::timestamp now() const { return now_; }
    [[nodiscard]] eventlog::metadata metadata() const;

    /// Forgets what the last try loaded and reads the clock.
    void begin_try();

    /// As facts::load; remembered as what this try rests on.
    [[nodiscard]] awaitable<eventlog::result<loaded<domain::workspace::state>>> load(domain::workspace_id id);
    [[nodiscard]] awaitable<eventlog::result<loaded<domain::link::state>>> load(domain::link_id id);
    [[nodiscard]] awaitable<eventlog::result<loaded<domain::api_key::state>>> load(domain::api_key_id id);
    [[nodiscard]] awaitable<eventlog::result<loaded<domain::user::state>>> load(domain::user_id id);

    /// A stream that the present try rests on.
    struct use {
        std::string stream;
        eventlog::version version = 0;
        bool is_from_cache = false;
    };
    [[nodiscard]] std::vector<use> const& uses() const { return uses_; }

    /// Whether the log has a newer version of something that this try took from the cache; such a stream is
    /// forgotten, so that the next try sees it. A log that does not answer has none.
    [[nodiscard]] awaitable<bool> was_outdated();

    /// The argon2id hash of a password, made once however many tries there are.
    [[nodiscard]] awaitable<std::string> hash_password(std::string password);

private:
    template <typename State, typename Id>
    awaitable<eventlog::result<loaded<State>>> load_any(Id id);

    pipeline const& pipeline_;
    std::string_view command_;
    sender const& from_;
    domain::uuid command_id_;
    domain::timestamp now_;
    std::vector<use> uses_;
    std::optional<std::string> password_hash_;
};

}  // namespace linkledger::commands
