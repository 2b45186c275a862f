#include "cli/configuration.h"

#include "eventlog/redis/connection.h"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

namespace linkledger::cli {

namespace {

using setter = void (*)(configuration&, std::string const&);

/// A variable, and what its value does.
struct described_variable {
    variable about;
    setter set;
};

/// Thrown by setters: what would be accepted. read_configuration adds the variable and the value.
struct unusable {
    std::string accepted;
    bool secret = false;
};

template <typename Number>
Number number_between(std::string const& text, Number low, Number high) {
    std::uint64_t value = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    bool const is_number = error == std::errc{} && end == text.data() + text.size();
    if (!is_number || value < static_cast<std::uint64_t>(low) || value > static_cast<std::uint64_t>(high)) {
        throw unusable{fmt::format("a whole number from {} to {}", low, high)};
    }
    return static_cast<Number>(value);
}

std::int64_t requests_in(std::string const& text) {
    return number_between<std::int64_t>(text, 0, 1'000'000'000);
}

/// The alternative's index in `names`.
std::size_t one_of(std::string const& text, std::span<std::string_view const> names) {
    auto const found = std::find(names.begin(), names.end(), text);
    if (found == names.end()) throw unusable{fmt::format("one of: {}", fmt::join(names, ", "))};
    return static_cast<std::size_t>(found - names.begin());
}

void require_readable(std::string const& path) {
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(path, ignored) || !std::ifstream{path}) {
        throw unusable{"a file that exists and can be read"};
    }
}

void set_database_url(configuration& to, std::string const& text) {
    bool const is_url = text.starts_with("postgresql://") || text.starts_with("postgres://");
    bool const is_connection_string =
        text.find("://") == std::string::npos && text.find('=') != std::string::npos;
    if (!is_url && !is_connection_string) {
        throw unusable{"postgresql://user:password@host:port/database; leave it unset for SQLite"};
    }
    to.database_url = text;
}

void set_db_path(configuration& to, std::string const& text) {
    if (text.ends_with('/')) throw unusable{"the path of a file, as in ./data/linkledger.db"};
    to.db_path = text;
}

/// `host:port`, `[v6]:port`, or `:port` for every address of the machine.
void set_listen(configuration& to, std::string const& text) {
    unusable const wrong{
        "address:port, as in 127.0.0.1:8080, 0.0.0.0:80 or [::1]:8080; port 0 picks a free one"};
    auto const colon = text.rfind(':');
    if (colon == std::string::npos) throw wrong;
    std::string host = text.substr(0, colon);
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    if (host.empty()) host = "0.0.0.0";
    if (host == "localhost") host = "127.0.0.1";
    boost::system::error_code error;
    boost::asio::ip::make_address(host, error);
    if (error) throw wrong;
    try {
        to.listen_port = number_between<unsigned short>(text.substr(colon + 1), 0, 65535);
    } catch (unusable const&) {
        throw wrong;
    }
    to.listen_host = host;
    to.listen_given = true;
}

void set_nats_url(configuration& to, std::string const& text) {
    if (!text.starts_with("nats://") && !text.starts_with("tls://"))
        throw unusable{"nats:// or tls:// and a host, as in nats://127.0.0.1:4222; several with commas"};
    to.nats_url = text;
}

void set_redis_url(configuration& to, std::string const& text) {
    try {
        (void)redis::parse_url(text);
    } catch (std::invalid_argument const& refused) {
        throw unusable{refused.what()};
    }
    to.redis_url = text;
}

void set_public_url(configuration& to, std::string const& text) {
    std::string url = text;
    while (url.ends_with('/')) url.pop_back();
    std::size_t const scheme = url.starts_with("https://") ? 8 : url.starts_with("http://") ? 7 : 0;
    bool const clean = std::none_of(url.begin(), url.end(), [](unsigned char c) {
        return c <= ' ' || c >= 127 || c == '"' || c == '?' || c == '#' || c == '@';
    });
    if (scheme == 0 || url.size() == scheme || !clean) {
        throw unusable{"http:// or https:// and a host, as in https://ll.example"};
    }
    to.public_url = url;
}

void set_admin_key(configuration& to, std::string const& text) {
    bool const clean = std::all_of(text.begin(), text.end(),
                                   [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
    if (!text.starts_with("ll_") || text.size() < 24 || text.size() > 200 || !clean) {
        throw unusable{"ll_ and 21 to 197 letters and digits, chosen at random", true};
    }
    to.admin_key = text;
}

void set_log_level(configuration& to, std::string const& text) {
    static constexpr std::array<std::string_view, 6> names{"trace", "debug", "info", "warn", "error", "off"};
    to.log_level = names[one_of(text, names)];
}

void set_log_format(configuration& to, std::string const& text) {
    static constexpr std::array<std::string_view, 2> names{"text", "json"};
    to.log_format = names[one_of(text, names)];
}

void set_keep_ip(configuration& to, std::string const& text) {
    static constexpr std::array<std::string_view, 3> names{"none", "truncated", "full"};
    to.keep_ip = static_cast<commands::keep_ip>(one_of(text, names));
}

void set_projections(configuration& to, std::string const& text) {
    static constexpr std::array<std::string_view, 2> names{"in-process", "none"};
    to.projections_in_process = one_of(text, names) == 0;
}

void set_click_ack(configuration& to, std::string const& text) {
    static constexpr std::array<std::string_view, 2> names{"committed", "queued"};
    to.click_queued = one_of(text, names) == 1;
}

void set_spool(configuration& to, std::string const& text) {
    if (text.ends_with('/')) throw unusable{"off, or the path of a file, as in ./data/spool.db"};
    to.spools = text != "off";
    if (to.spools) to.spool_file = text;
}

void set_spool_capped(configuration& to, std::string const& text) {
    static constexpr std::array<std::string_view, 2> names{"refuse", "redirect"};
    to.spool_capped = one_of(text, names) == 1;
}

void set_stale_links(configuration& to, std::string const& text) {
    static constexpr std::array<std::string_view, 2> names{"refuse", "redirect"};
    to.refuse_stale = one_of(text, names) == 0;
}

void set_allow_unsafe(configuration& to, std::string const& text) {
    static constexpr std::array<std::string_view, 2> names{"0", "1"};
    to.allow_unsafe_database = one_of(text, names) == 1;
}

void set_trusted_proxies(configuration& to, std::string const& text) {
    unusable const wrong{"addresses and networks with commas between, as in 10.0.0.0/8,::1"};
    std::size_t begin = 0;
    while (begin <= text.size()) {
        std::size_t const comma = std::min(text.find(',', begin), text.size());
        std::string entry = text.substr(begin, comma - begin);
        begin = comma + 1;
        std::erase(entry, ' ');
        if (entry.empty()) continue;
        boost::system::error_code as_address, as_v4, as_v6;
        boost::asio::ip::make_address(entry, as_address);
        boost::asio::ip::make_network_v4(entry, as_v4);
        boost::asio::ip::make_network_v6(entry, as_v6);
        if (as_address && as_v4 && as_v6) throw wrong;
        to.trusted_proxies.push_back(entry);
    }
}

void set_geoip(configuration& to, std::string const& text) {
    require_readable(text);
    to.geoip_db = text;
}

void set_uap_regexes(configuration& to, std::string const& text) {
    require_readable(text);
    to.uap_regexes = text;
}

// A table rather than code per variable: the same lines make `--help` and are compared with .env.example.
constexpr described_variable variables[] = {
    {{"DATABASE_URL", "", "PostgreSQL, postgresql://user:password@host:port/database; unset: SQLite"},
     set_database_url},
    {{"DB_PATH", "./data/linkledger.db", "the SQLite log; the read models are made beside it"}, set_db_path},
    {{"LISTEN", "127.0.0.1:8080", "address and port of HTTP; port 0 picks a free one"}, set_listen},
    {{"PUBLIC_URL", "", "what short URLs begin with; unset: http:// and LISTEN"}, set_public_url},
    {{"LINKLEDGER_ADMIN_KEY", "", "the first admin key; unset: made on an empty log and printed once"},
     set_admin_key},
    {{"MASTER_KEY_FILE", "",
      "wraps the keys of personal data; made if missing; unset: master.key beside DB_PATH"},
     [](configuration& to, std::string const& text) { to.master_key_file = text; }},
    {{"LOG_SIGNING_KEY_FILE", "",
      "signs the log's heads; made if missing; unset: log-signing.key beside the master key"},
     [](configuration& to, std::string const& text) { to.log_signing_key_file = text; }},
    {{"LOG_LEVEL", "info", "trace, debug, info, warn, error or off"}, set_log_level},
    {{"LOG_FORMAT", "text", "text or json (a JSON object per line)"}, set_log_format},
    {{"GEOIP_DB", "", "a MaxMind .mmdb file; unset: clicks have no country"}, set_geoip},
    {{"UAP_REGEXES", "/usr/share/uap-core/regexes.yaml", "uap-core's rules for user agents"},
     set_uap_regexes},
    {{"TRUSTED_PROXIES", "", "addresses and networks whose X-Forwarded-For is believed"},
     set_trusted_proxies},
    {{"KEEP_IP", "none", "how clients' addresses are kept: none, truncated or full"}, set_keep_ip},
    {{"PROJECTIONS", "in-process", "in-process, or none where other processes run them"}, set_projections},
    {{"CLICK_ACK", "committed", "committed, or queued for redirects before the commit"}, set_click_ack},
    {{"SPOOL", "",
      "where clicks wait while PostgreSQL is away; off: they get 503; unset: spool.db beside DB_PATH"},
     set_spool},
    {{"SPOOL_BYTES_MAX", "1073741824", "of clicks that wait there, some 600 bytes each; more get 503"},
     [](configuration& to, std::string const& text) {
         to.spool_bytes_max = number_between<std::size_t>(text, 1'000'000, 1'000'000'000'000);
     }},
    {{"SPOOL_AFTER_MS", "100", "how long a click waits for PostgreSQL before that, in milliseconds"},
     [](configuration& to, std::string const& text) {
         to.spool_after = std::chrono::milliseconds{number_between(text, 10u, 5'000u)};
     }},
    {{"SPOOL_CAPPED", "refuse",
      "links with max_clicks meanwhile: refuse (503), or redirect beyond their limit"},
     set_spool_capped},
    {{"STALE_MAX", "86400", "seconds without PostgreSQL after which links count as stale"},
     [](configuration& to, std::string const& text) {
         to.stale_max = std::chrono::seconds{number_between(text, 1u, 31'536'000u)};
     }},
    {{"STALE_LINKS", "refuse", "stale links: refuse (503) or redirect"}, set_stale_links},
    {{"ALLOW_UNSAFE_DATABASE", "0", "1 accepts a PostgreSQL whose fsync or the like is off"},
     set_allow_unsafe},
    {{"HTTP_THREADS", "", "threads that serve HTTP; unset: as many as cores, 2 at most"},
     [](configuration& to, std::string const& text) { to.http_threads = number_between(text, 1u, 256u); }},
    {{"CONNECTIONS_MAX", "8192", "connections at a time; more are closed unanswered"},
     [](configuration& to, std::string const& text) {
         to.connections_max = number_between<std::size_t>(text, 1, 1'000'000);
     }},
    {{"CONNECTIONS_PER_ADDRESS_MAX", "1024", "of them from one address; trusted proxies are not counted"},
     [](configuration& to, std::string const& text) {
         to.connections_per_address_max = number_between<std::size_t>(text, 1, 1'000'000);
     }},
    {{"BLOCKING_THREADS", "4", "threads for reads of the store and for passwords"},
     [](configuration& to, std::string const& text) {
         to.blocking_threads = number_between(text, 1u, 256u);
     }},
    {{"LINK_CACHE_MAX", "1000000", "links kept in memory for redirects"},
     [](configuration& to, std::string const& text) {
         to.link_cache_max = number_between<std::size_t>(text, 1'000, 100'000'000);
     }},
    {{"RATE_LIMIT_KEY", "600000", "requests a minute of an API key; 0: no limit"},
     [](configuration& to, std::string const& text) { to.rates.key_max = requests_in(text); }},
    {{"RATE_LIMIT_SECRET", "60", "guesses a minute at tokens and passwords, of an address; 0: no limit"},
     [](configuration& to, std::string const& text) { to.rates.secret_max = requests_in(text); }},
    {{"RATE_LIMIT_OPEN", "600000", "requests a minute of an address per endpoint without a key; 0: no limit"},
     [](configuration& to, std::string const& text) { to.rates.open_max = requests_in(text); }},
    {{"RATE_LIMIT_REDIRECT", "0", "redirects a minute of an address; 0: no limit"},
     [](configuration& to, std::string const& text) { to.rates.redirect_max = requests_in(text); }},
    {{"SHUTDOWN_SECONDS", "20", "how long a stop may wait for requests to finish"},
     [](configuration& to, std::string const& text) {
         to.shutdown_deadline = std::chrono::seconds{number_between(text, 0u, 3600u)};
     }},
    {{"IDEMPOTENCY_DAYS", "7", "how long answers are kept for retries"},
     [](configuration& to, std::string const& text) {
         to.idempotency_kept = std::chrono::hours{24 * number_between(text, 1u, 3650u)};
     }},
    {{"CLICK_DETAIL_DAYS", "", "days after which visitors, addresses, agents, referrers go; unset: kept"},
     [](configuration& to, std::string const& text) {
         to.click_details_kept = std::chrono::days{number_between(text, 8u, 36'500u)};
     }},
    {{"NATS_URL", "", "NATS with JetStream, nats://user:password@host:4222,…; unset: no mirror"},
     set_nats_url},
    {{"NATS_REPLICAS", "1", "replicas of the mirror's stream, when it is made (1 to 5)"},
     [](configuration& to, std::string const& text) {
         to.nats_replicas = static_cast<int>(number_between(text, 1u, 5u));
     }},
    {{"REDIS_URL", "", "Redis, redis://:password@host:6379/0; unset: what it does, each process does alone"},
     set_redis_url},
};

}  // namespace

std::optional<std::string> process_environment(std::string const& name) {
    char const* const value = std::getenv(name.c_str());
    return value ? std::optional<std::string>{value} : std::nullopt;
}

configuration read_configuration(environment const& from) {
    configuration made;
    bool master_key_named = false;
    bool signing_key_named = false;
    for (auto const& [about, set] : variables) {
        auto const value = from(std::string{about.name});
        if (!value || value->empty()) continue;
        if (about.name == "MASTER_KEY_FILE") master_key_named = true;
        if (about.name == "LOG_SIGNING_KEY_FILE") signing_key_named = true;
        try {
            set(made, *value);
        } catch (unusable const& wrong) {
            std::string const shown =
                wrong.secret ? "its value (not shown)" : fmt::format("\"{}\"", redact_url(*value));
            throw configuration_error{
                fmt::format("{}: {} cannot be used. Accepted: {}.", about.name, shown, wrong.accepted)};
        }
    }
    if (made.spool_file.empty()) {
        made.spool_file = (std::filesystem::path{made.db_path}.parent_path() / "spool.db").string();
    }
    if (!master_key_named) {
        made.master_key_file = (std::filesystem::path{made.db_path}.parent_path() / "master.key").string();
    }
    if (!signing_key_named) {
        made.log_signing_key_file =
            (std::filesystem::path{made.master_key_file}.parent_path() / "log-signing.key").string();
    }
    return made;
}

std::span<variable const> known_variables() {
    static std::vector<variable> const all = [] {
        std::vector<variable> list;
        for (auto const& entry : variables) list.push_back(entry.about);
        return list;
    }();
    return all;
}

std::string redact_url(std::string_view url) {
    std::string shown{url};
    if (auto const scheme = shown.find("://"); scheme != std::string::npos) {
        // A password may hold anything, an @ or a / included: hide up to the last @ rather than too little.
        auto const at = shown.rfind('@');
        auto const colon = shown.find(':', scheme + 3);
        if (at != std::string::npos && colon != std::string::npos && colon < at) {
            shown.replace(colon + 1, at - colon - 1, "***");
        }
    }
    // `password=` of a connection string or of a URL's query: hidden to the end of the value.
    for (auto found = shown.find("password"); found != std::string::npos;
         found = shown.find("password", found)) {
        found += std::string_view{"password"}.size();
        auto value = shown.find_first_not_of(' ', found);
        if (value == std::string::npos || shown[value] != '=') continue;
        value = shown.find_first_not_of(' ', value + 1);
        if (value == std::string::npos) break;
        auto end = shown[value] == '\'' ? shown.find('\'', value + 1) : shown.find_first_of(" &", value);
        end = end == std::string::npos ? shown.size() : end + (shown[value] == '\'' ? 1 : 0);
        shown.replace(value, end - value, "***");
        found = value;
    }
    return shown;
}

}  // namespace linkledger::cli
