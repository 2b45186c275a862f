#pragma once
// The way in for commands: authenticate, load, decide, append, answer. Knows nothing of HTTP.

#include "domain/access.h"
#include "domain/refusal.h"
#include "eventlog/event_log.h"
#include "eventlog/metadata.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace linkledger::eventlog {
class committer;
class keyring;
class spooler;
}  // namespace linkledger::eventlog

namespace linkledger::redis {
class client;
}

namespace linkledger::commands {

class user_agent_parser;

template <typename T>
using awaitable = boost::asio::awaitable<T>;

/// Why there is no answer of the wanted kind: the domain's no, or the environment's.
using denial = std::variant<domain::refusal, eventlog::failure>;

/// One command as a client sent it.
struct command_request {
    std::string name;                            ///< `CreateLink`
    std::string data;                            ///< JSON object text.
    std::optional<std::string> idempotency_key;  ///< 1 to 255 characters.
    std::optional<eventlog::version> if_match;   ///< Expected version of the command's stream.
};

/// Who sends it, and from where. `credential` is the raw API key (or token), from which idempotency ids and
/// seals are derived; it is never stored or logged.
struct sender {
    std::optional<domain::caller>
        caller;  ///< None: only commands whose credential is in their data (AcceptInvitation).
    std::string credential;
    eventlog::actor_kind kind = eventlog::actor_kind::key;
    domain::uuid correlation_id{};
    std::optional<std::string> traceparent;
    eventlog::request_context context;
};

struct command_answer {
    eventlog::position position = 0;
    std::string stream;
    eventlog::version version = 0;
    std::vector<std::string> events;  ///< Their types.
    std::string result;               ///< JSON object text.
    bool replayed = false;            ///< An earlier answer under the same idempotency key.
};

using command_outcome = std::variant<command_answer, domain::refusal, eventlog::failure>;

/// One line per command; the HTTP layer makes routes and OpenAPI of it.
struct command_description {
    std::string_view name;
    std::string_view summary;
    std::optional<domain::scope> scope;  ///< None: the command's data is the credential.
};
[[nodiscard]] std::span<command_description const> command_table();

/// The visitor's side of a request for a short code.
struct visit {
    std::string short_code;
    std::string ip;  ///< Of the client, after TRUSTED_PROXIES.
    std::string user_agent;
    std::string referer;
    std::string
        query;  ///< Of the request target, without `?`; utm_* are taken from it before the link's own.
    bool counts = true;                   ///< False for HEAD: nothing is appended.
    std::optional<std::string> password;  ///< From the form.
    domain::uuid correlation_id{};
};
struct redirect_to {
    std::string url;
    eventlog::position position = 0;  ///< Of the click; 0 when it did not count.
};
struct password_wanted {
    bool was_wrong = false;
};
/// not_found or link_gone as a refusal; 503 as a failure.
using visit_outcome = std::variant<redirect_to, password_wanted, domain::refusal, eventlog::failure>;

/// How IP addresses are kept in click events and contexts.
enum class keep_ip { none, truncated, full };

/// A log that has been silent for longer is not asked any more while somebody waits for the answer.
constexpr std::chrono::seconds log_silence_max{3};

/// What happens to visitors while the log cannot be reached.
struct outage_options {
    eventlog::spooler* spool = nullptr;  ///< Keeps their clicks; null: they are answered 503.
    bool let_capped_through = false;     ///< Links with max_clicks, unchecked; the log shows the excess.
    std::chrono::seconds stale_max{24 * 3600};  ///< How old what is known of links may be…
    bool refuse_stale = true;                   ///< …before they are refused.
};

struct bus_options {
    std::string public_url =
        "http://127.0.0.1:8080";  ///< Without a trailing slash; short_url is made from it.
    commands::keep_ip keep_ip = commands::keep_ip::none;
    std::string geoip_db;  ///< MaxMind file; empty: no countries.
    std::string uap_regexes = "/usr/share/uap-core/regexes.yaml";
    std::shared_ptr<user_agent_parser const> user_agents;  ///< Loaded already, in place of uap_regexes.
    std::chrono::milliseconds command_deadline{5'000};
    std::size_t link_cache_max = 1'000'000;    ///< Links in the redirect table.
    std::size_t aggregate_cache_max = 20'000;  ///< Folded streams, per kind.
    unsigned blocking_threads = 4;             ///< For store reads and argon2id.
    bool click_queued = false;                 ///< CLICK_ACK=queued: answer before the commit.
    redis::client* redis = nullptr;            ///< Shares links with other processes; null: none.
    bool follow_tail = true;                   ///< Off for short-lived command-line use.
    outage_options outage{};
    /// Links that an earlier process knew, for a start while the log is away; empty: such a start fails.
    std::string links_file;
};

struct bus_stats {
    std::uint64_t link_cache_hits = 0, link_cache_misses = 0;
    std::size_t link_cache_size = 0;
    std::uint64_t lost_when_queued = 0;  ///< CLICK_ACK=queued: clicks answered whose commit then failed.
    std::uint64_t beyond_caps = 0;       ///< Clicks of capped links let through in an outage.
    eventlog::position tail_position = 0;
    bool edge_ready = false;  ///< Links of other processes are taken from Redis.
    std::uint64_t edge_hits = 0, edge_misses = 0;
    std::chrono::milliseconds since_log_contact{0};  ///< Age of the tail's knowledge.
};

/// Safe to call from any executor; resumes the caller on its own executor.
class command_bus {
public:
    virtual ~command_bus() = default;

    /// The caller behind a bearer key. Refusal `unauthenticated` for an unknown, revoked or expired one.
    virtual awaitable<std::variant<domain::caller, domain::refusal, eventlog::failure>> authenticate(
        std::string_view bearer) = 0;

    virtual awaitable<command_outcome> execute(command_request const& request, sender const& from) = 0;

    /// Up to 1,000 commands; outcomes in order, each of its own. Commands of one bulk see the ones before
    /// them.
    virtual awaitable<std::vector<command_outcome>> execute_bulk(std::vector<command_request> const& requests,
                                                                 sender const& from) = 0;

    virtual awaitable<visit_outcome> follow(visit const& request) = 0;

    /// Whether a caller may read a workspace's read models (any role there, read scope; a bound key: its own
    /// alone).
    virtual awaitable<std::variant<bool, eventlog::failure>> may_read(domain::caller const& who,
                                                                      domain::workspace_id const& workspace,
                                                                      domain::scope needed) = 0;
    /// The workspaces a caller belongs to is a read model's question; see projections/accounts.

    /// On an empty log: the first user and the first admin key, `given` or (when empty) a new one, which is
    /// returned to be shown once. None when the log has events. Safe when several processes start at once.
    /// Blocks.
    virtual eventlog::result<std::optional<std::string>> bootstrap(std::string const& given) = 0;

    [[nodiscard]] virtual bus_stats stats() const = 0;
    /// Writes the links that are known to a file for `bus_options::links_file`, in place of what was there.
    virtual eventlog::result<void> save_links(std::string const& path) = 0;
    /// Stops the tail and the blocking threads.
    virtual void stop() = 0;
};

[[nodiscard]] eventlog::result<std::unique_ptr<command_bus>> create_command_bus(
    eventlog::event_log& log, eventlog::committer& committer, eventlog::keyring& keys,
    bus_options const& options);

}  // namespace linkledger::commands
