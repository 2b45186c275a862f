#pragma once
// A short link: where it leads, until when, and who may change that.

#include "domain/access.h"
#include "domain/decision.h"
#include "domain/ids.h"
#include "domain/link/events.h"
#include "domain/time.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace linkledger::domain::link {

struct state {
    bool exists = false;
    bool is_active = true;
    bool is_deleted = false;
    domain::link_id link_id;
    domain::workspace_id workspace_id;
    domain::user_id user_id;
    std::optional<domain::domain_id> domain_id;
    std::string url;
    std::string short_code;
    std::optional<std::string> title;
    std::optional<std::string> description;
    std::optional<std::string> favicon_url;
    std::optional<std::string> og_image_url;
    std::vector<std::string> tags;
    bool has_password = false;
    std::optional<std::string> password_hash;  ///< Argon2id; none also when its key was destroyed.
    std::optional<timestamp> expires_at;
    std::optional<std::int64_t> max_clicks;
    std::optional<std::string> utm_source;
    std::optional<std::string> utm_medium;
    std::optional<std::string> utm_campaign;
    std::optional<std::string> utm_term;
    std::optional<std::string> utm_content;

    bool operator==(state const&) const = default;
};

/// Never fails; events of other aggregates change nothing.
[[nodiscard]] state evolve(state current, event const& happened);

// ---- Commands: everything is resolved before they are decided -------------------------------------------

/// Empty texts count as absent.
struct create_link {
    domain::link_id link_id;
    domain::workspace_id workspace_id;
    standing by;
    timestamp now;
    std::string own_host;  ///< Of the service, to which no link may lead.
    std::string url;
    std::string short_code;
    std::optional<std::string> title;
    std::optional<std::string> description;
    std::optional<std::string> favicon_url;
    std::optional<std::string> og_image_url;
    std::vector<std::string> tags;
    std::optional<std::string> password_hash;
    std::optional<timestamp> expires_at;
    std::optional<std::int64_t> max_clicks;
    std::optional<std::string> utm_source;
    std::optional<std::string> utm_medium;
    std::optional<std::string> utm_campaign;
    std::optional<std::string> utm_term;
    std::optional<std::string> utm_content;
};

/// The wanted values: the outer optional says "named by the command", an empty inner one "cleared".
struct update_link {
    standing by;
    timestamp now;
    std::string own_host;
    std::optional<std::string> url;
    std::optional<std::string> short_code;
    std::optional<std::optional<std::string>> title;
    std::optional<std::optional<std::string>> description;
    std::optional<std::optional<std::string>> favicon_url;
    std::optional<std::optional<std::string>> og_image_url;
    std::optional<std::vector<std::string>> tags;
    /// A new hash, known to be of another password than the present one; or cleared.
    std::optional<std::optional<std::string>> password_hash;
    std::optional<std::optional<timestamp>> expires_at;
    std::optional<std::optional<std::int64_t>> max_clicks;
    std::optional<std::optional<std::string>> utm_source;
    std::optional<std::optional<std::string>> utm_medium;
    std::optional<std::optional<std::string>> utm_campaign;
    std::optional<std::optional<std::string>> utm_term;
    std::optional<std::optional<std::string>> utm_content;
};

struct disable_link {
    standing by;
};
struct enable_link {
    standing by;
};
struct delete_link {
    standing by;
};
/// Also asks for the short code again; that another link holds it meanwhile is a claim's to say.
struct restore_link {
    standing by;
};

[[nodiscard]] decision decide(state const& current, create_link const& command);
[[nodiscard]] decision decide(state const& current, update_link const& command);
[[nodiscard]] decision decide(state const& current, disable_link const& command);
[[nodiscard]] decision decide(state const& current, enable_link const& command);
[[nodiscard]] decision decide(state const& current, delete_link const& command);
[[nodiscard]] decision decide(state const& current, restore_link const& command);

}  // namespace linkledger::domain::link
