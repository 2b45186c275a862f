#pragma once
// What a user agent says of its browser, system and device, by uap-core's regexes; and whether it is a bot.
//
// uap-core's specification decides family and versions. Ours are two decisions that it leaves open:
//
// Bots. A bot is what declares itself to be one: what uap-core calls a Spider (crawlers, monitors, link
// previewers, feed fetchers), and what names itself so in words that uap-core does not know yet (`…bot/1.0`,
// crawler, spider, preview, monitor, uptime, headless). Everything else is a person: browsers, apps, the
// tools that a person types at a command line (curl, Wget, HTTPie), HTTP libraries that uap-core does not
// list as spiders, and whoever sends no user agent at all. A person's click counts, so the doubt goes to the
// click.
//
// Device type. tablet: an iPad, what calls itself a tablet (Windows' "Tablet PC" apart), an e-reader, or
// a browser on Android without the word Mobile (Google's convention). mobile: the other phone systems,
// feature phones and what calls itself Mobile. desktop: Windows, macOS, Chrome OS, the BSDs and Linux. None
// for bots, televisions, consoles and watches, and where nothing is known.

#include "eventlog/result.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace linkledger::commands {

/// uap-core's own answer. A missing version part is empty; an unknown family is `Other`.
struct parsed_user_agent {
    std::string browser, browser_major, browser_minor, browser_patch;
    std::string os, os_major, os_minor, os_patch, os_patch_minor;
    std::string device, device_brand, device_model;

    bool operator==(parsed_user_agent const&) const = default;
};

/// What a click keeps. Empty: unknown.
struct client_facts {
    std::optional<std::string> device_type;  ///< desktop, mobile or tablet.
    std::optional<std::string> browser;
    std::optional<std::string> browser_version;  ///< `109.0.5414`
    std::optional<std::string> os;
    std::optional<std::string> os_version;
    bool is_bot = false;

    bool operator==(client_facts const&) const = default;
};

/// Safe to call from any thread.
class user_agent_parser {
public:
    /// User agents are cut to this length before anything is made of them.
    static constexpr std::size_t bytes_max = 1'000;

    /// Reads and compiles regexes.yaml. `unavailable` with the path where it cannot be used.
    static eventlog::result<std::unique_ptr<user_agent_parser>> load(std::string const& regexes_path);
    ~user_agent_parser();

    /// By the specification, over the whole text. Some tens of microseconds.
    [[nodiscard]] parsed_user_agent parse(std::string_view user_agent) const;
    /// As a click keeps it, uncached.
    [[nodiscard]] client_facts facts_of(std::string_view user_agent) const;

private:
    struct state;
    explicit user_agent_parser(std::unique_ptr<state> from);
    std::unique_ptr<state> state_;
};

/// Remembers the facts of the user agents last seen, in shards that each evict by a clock. Safe to call from
/// any thread.
class user_agent_cache {
public:
    user_agent_cache(std::shared_ptr<user_agent_parser const> parser, std::size_t entries_max);
    ~user_agent_cache();

    /// An empty user agent is a person of whom nothing is known.
    [[nodiscard]] std::shared_ptr<client_facts const> find_or_parse(std::string_view user_agent);
    [[nodiscard]] std::size_t size() const;

private:
    struct shard;
    static constexpr std::size_t shard_count = 16;

    std::shared_ptr<user_agent_parser const> parser_;
    std::size_t shard_entries_max_;
    std::shared_ptr<client_facts const> unknown_;
    std::unique_ptr<shard[]> shards_;
};

}  // namespace linkledger::commands
