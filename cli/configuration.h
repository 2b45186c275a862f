#pragma once
// The environment, read once and checked: a value that cannot be used stops the start and says why.

#include "api/rate_limits.h"
#include "commands/command_bus.h"

#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace linkledger::cli {

/// Everything that the environment decides. Defaults are those of an empty environment.
struct configuration {
    std::string database_url;  ///< Empty: SQLite.
    std::string db_path = "./data/linkledger.db";
    std::string listen_host = "127.0.0.1";
    unsigned short listen_port = 8080;
    bool listen_given = false;  ///< LISTEN is set; processes without an API listen only then.
    std::string nats_url;       ///< May hold a password; empty: no mirror.
    int nats_replicas = 1;      ///< Of the mirror's stream, when it is made.
    std::string redis_url;      ///< May hold a password; empty: no Redis.
    std::string public_url;     ///< Empty: http:// and the address that is listened on.
    std::string admin_key;      ///< A secret; empty: one is made on an empty log.
    std::string master_key_file = "./data/master.key";
    std::string log_signing_key_file = "./data/log-signing.key";
    std::string geoip_db;
    std::string uap_regexes = "/usr/share/uap-core/regexes.yaml";
    std::vector<std::string> trusted_proxies;  ///< Addresses and networks, each checked.
    commands::keep_ip keep_ip = commands::keep_ip::none;
    bool projections_in_process = true;
    bool click_queued = false;
    bool allow_unsafe_database = false;
    std::string log_level = "info";   ///< trace, debug, info, warn, error or off
    std::string log_format = "text";  ///< text or json
    unsigned http_threads = 0;        ///< 0: as many as cores, 2 at most.
    unsigned blocking_threads = 4;
    std::size_t connections_max = 8'192;
    std::size_t connections_per_address_max = 1'024;  ///< Trusted proxies apart.
    api::rate_limit_options rates;
    std::size_t link_cache_max = 1'000'000;
    bool spools = true;  ///< On PostgreSQL: clicks wait on this machine's disk while it is away.
    std::string
        spool_file;  ///< Beside db_path unless named; another process's is passed over for `…-2` and on.
    std::size_t spool_bytes_max = 1u << 30;
    std::chrono::milliseconds spool_after{100};
    bool spool_capped = false;                  ///< Let links with max_clicks through, unchecked.
    std::chrono::seconds stale_max{24 * 3600};  ///< Age of what is known of links…
    bool refuse_stale = true;                   ///< …beyond which they are refused.
    std::chrono::seconds shutdown_deadline{20};
    std::chrono::hours idempotency_kept{7 * 24};
    std::chrono::days click_details_kept{0};  ///< 0: for ever.

    [[nodiscard]] bool on_postgresql() const { return !database_url.empty(); }
};

/// A variable's value cannot be used. `what()` names the variable, the value (no secret) and what is
/// accepted.
class configuration_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// A variable's value; none when it is not set.
using environment = std::function<std::optional<std::string>(std::string const& name)>;

/// The process's own environment.
[[nodiscard]] std::optional<std::string> process_environment(std::string const& name);

/// A variable that is set to nothing counts as not set. Throws configuration_error.
[[nodiscard]] configuration read_configuration(environment const& from);

/// Every variable that read_configuration knows, with its default and meaning, for `--help` and .env.example.
struct variable {
    std::string_view name;
    std::string_view fallback;
    std::string_view meaning;
};
[[nodiscard]] std::span<variable const> known_variables();

/// A database URL or connection string without its password, fit for logs.
[[nodiscard]] std::string redact_url(std::string_view url);

}  // namespace linkledger::cli
