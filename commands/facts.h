#pragma once
// What the write side knows: folded aggregates and claims, from the log alone, never from a projection.

#include "commands/async.h"
#include "commands/stream_cache.h"
#include "domain/api_key/api_key.h"
#include "domain/link/link.h"
#include "domain/user/user.h"
#include "domain/workspace/workspace.h"
#include "eventlog/event_log.h"

#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>

namespace linkledger::commands {

/// The id of an aggregate's stream, by its name; other streams (clicks, bots) are none.
using stream_id =
    std::variant<std::monostate, domain::workspace_id, domain::user_id, domain::link_id, domain::api_key_id>;
[[nodiscard]] stream_id parse_stream(std::string_view stream);

/// Safe to call from any thread. The log, the keyring and the pool must outlive it. Reads of the log happen
/// on the pool; what is cached is answered without suspending.
class facts {
public:
    facts(eventlog::event_log& log, eventlog::keyring& keys, boost::asio::thread_pool& pool,
          std::size_t streams_max);

    /// From the cache, or else from the log.
    [[nodiscard]] awaitable<eventlog::result<loaded<domain::workspace::state>>> load(domain::workspace_id id);
    [[nodiscard]] awaitable<eventlog::result<loaded<domain::user::state>>> load(domain::user_id id);
    [[nodiscard]] awaitable<eventlog::result<loaded<domain::link::state>>> load(domain::link_id id);
    [[nodiscard]] awaitable<eventlog::result<loaded<domain::api_key::state>>> load(domain::api_key_id id);

    /// The key with this prefix, version 0 when there is none.
    [[nodiscard]] awaitable<eventlog::result<loaded<domain::api_key::state>>> key_by_prefix(
        std::string prefix);

    [[nodiscard]] eventlog::event_log& log() const { return log_; }

    /// Always from the log.
    [[nodiscard]] awaitable<eventlog::result<std::optional<std::string>>> claim_owner(std::string scope,
                                                                                      std::string key);
    [[nodiscard]] awaitable<eventlog::result<eventlog::version>> stream_version(std::string stream);

    /// An event of the tail, or of a commit of this process (`is_own`), whose new streams are kept: who makes
    /// something is likely to go on with it.
    void apply(std::string_view stream, eventlog::version version, domain::event const& happened,
               bool is_own);
    /// Whether `apply` would change nothing for this event.
    [[nodiscard]] bool has(std::string_view stream, eventlog::version version) const;
    void forget(std::string_view stream);
    void clear();

private:
    template <typename Id>
    auto& cache_of(Id const&) const;
    template <typename State, typename Id>
    awaitable<eventlog::result<loaded<State>>> load_any(Id id);

    eventlog::event_log& log_;
    eventlog::keyring& keys_;
    boost::asio::thread_pool& pool_;
    mutable stream_cache<domain::workspace_id, domain::workspace::state> workspaces_;
    mutable stream_cache<domain::user_id, domain::user::state> users_;
    mutable stream_cache<domain::link_id, domain::link::state> links_;
    mutable stream_cache<domain::api_key_id, domain::api_key::state> api_keys_;

    std::size_t const prefixes_max_;
    std::mutex prefixes_mutex_;
    std::unordered_map<std::string, domain::api_key_id> prefixes_;  ///< A prefix never changes its owner.
};

}  // namespace linkledger::commands
