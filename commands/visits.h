#pragma once
// The click path: from a short code and a visitor's request to a durable `link.clicked` and the way on.

#include "commands/command_bus.h"
#include "commands/link_table.h"
#include "eventlog/event_log.h"
#include "eventlog/metadata.h"

#include <boost/asio/thread_pool.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace linkledger::commands {

class edge_cache;
class user_agent_parser;

struct visits_options {
    commands::keep_ip keep_ip = commands::keep_ip::none;
    std::string geoip_db;                                          ///< MaxMind file; empty: no countries.
    std::string uap_regexes = "/usr/share/uap-core/regexes.yaml";  ///< uap-core's regexes.
    std::shared_ptr<user_agent_parser const> user_agents;  ///< Loaded already, in place of uap_regexes.
    std::size_t link_cache_max = 1'000'000;                ///< Links in the redirect table.
    bool click_queued = false;                             ///< Redirect before the click's commit.
    edge_cache* edge = nullptr;                            ///< Asked for links before the log; null: none.
    bool follow_tail = true;  ///< False: no tail feeds the table, so nothing is remembered in it.
    outage_options outage{};
    /// Since the log last told what is new of links; none: always just now.
    std::function<std::chrono::milliseconds()> since_contact{};
    std::size_t user_agents_max = 10'000;  ///< Parsed user agents that are kept.
    std::size_t loads_max = 1'024;         ///< Cold links being read at once; more fail as queue_full.
    std::size_t password_checks_max = 16;  ///< Argon2id runs waiting or running; more fail as queue_full.
};

/// The fields of ClickLink: a click that another server saw and reports.
struct click_report {
    std::optional<std::string> short_code;  ///< Exactly one of the two.
    std::optional<domain::link_id> link_id;
    std::optional<std::string> visitor;  ///< Whatever tells visitors apart; absent: address and user agent.
    std::optional<std::string> ip;
    std::optional<std::string> user_agent;
    std::optional<std::string> referer;
    std::optional<domain::timestamp> occurred_at;  ///< Past 7 days to 5 minutes ahead; absent: now.
};

/// A reported click, decided and ready to be appended (alone, or with an idempotency entry added).
struct prepared_click {
    domain::link_id link_id;
    domain::workspace_id workspace_id;  ///< Whose members may report it.
    bool is_bot = false;
    eventlog::append_request append;  ///< One stream, one event.
};

/// Safe to call from any executor; resumes the caller on its own. Log, committer and keyring must outlive it;
/// the pool must be joined (and no visit be under way) before it is destroyed.
class visits {
public:
    virtual ~visits() = default;

    virtual awaitable<visit_outcome> follow(visit const& request) = 0;

    /// Where a reported click belongs: the link's workspace, for the permission check that comes before
    /// everything else. Refusals: invalid_input, not_found.
    virtual awaitable<std::variant<domain::workspace_id, domain::refusal, eventlog::failure>> workspace_of(
        click_report const& report) = 0;

    /// Checks the report and the link (invalid_input, not_found, link_gone) and makes the append. `cause` is
    /// the metadata to store (command, ids, actor).
    virtual awaitable<std::variant<prepared_click, domain::refusal, eventlog::failure>> prepare(
        click_report const& report, eventlog::metadata const& cause) = 0;

    /// The refusal for a prepared click whose append met a version_conflict: the link is at max_clicks.
    virtual domain::refusal at_cap(domain::link_id const& id) = 0;

    /// To be fed by the tail: `links().apply(stored, event)` for every event.
    virtual link_table& links() = 0;

    struct counters {
        std::uint64_t hits = 0, misses = 0;  ///< Links found in the table, and those that had to be read.
        std::uint64_t lost_when_queued = 0;  ///< Clicks that were answered before a commit that then failed.
        std::uint64_t beyond_caps = 0;  ///< Clicks let through in an outage whose link's cap was not asked.
    };
    [[nodiscard]] virtual counters stats() const = 0;
};

/// `unavailable`-coded failures name the file that could not be used (uap_regexes, geoip_db).
[[nodiscard]] eventlog::result<std::unique_ptr<visits>> create_visits(eventlog::event_log& log,
                                                                      eventlog::committer& committer,
                                                                      eventlog::keyring& keys,
                                                                      boost::asio::thread_pool& blocking,
                                                                      visits_options const& options);

}  // namespace linkledger::commands
