#pragma once
// What can happen to a link, its clicks apart. Stored for good: fields are only added.

#include "domain/ids.h"
#include "domain/time.h"

#include <boost/describe/class.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace linkledger::domain::link {

/// A link's password, as argon2id; sealed under the workspace's key and never shown by any API.
struct secret {
    std::optional<std::string> password_hash;

    bool operator==(secret const&) const = default;
};

struct created {
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
    std::optional<timestamp> expires_at;
    std::optional<std::int64_t> max_clicks;
    std::optional<std::string> utm_source;
    std::optional<std::string> utm_medium;
    std::optional<std::string> utm_campaign;
    std::optional<std::string> utm_term;
    std::optional<std::string> utm_content;
    std::optional<secret> personal;

    bool operator==(created const&) const = default;
};

/// The fields that changed, and only those. For a clearable field the outer optional says "changed", the
/// inner one holds the value or, when empty, "cleared" (JSON null).
struct changes {
    std::optional<std::string> url;
    std::optional<std::string> short_code;
    std::optional<std::optional<std::string>> title;
    std::optional<std::optional<std::string>> description;
    std::optional<std::optional<std::string>> favicon_url;
    std::optional<std::optional<std::string>> og_image_url;
    std::optional<std::vector<std::string>> tags;
    std::optional<bool> has_password;
    std::optional<std::optional<timestamp>> expires_at;
    std::optional<std::optional<std::int64_t>> max_clicks;
    std::optional<std::optional<std::string>> utm_source;
    std::optional<std::optional<std::string>> utm_medium;
    std::optional<std::optional<std::string>> utm_campaign;
    std::optional<std::optional<std::string>> utm_term;
    std::optional<std::optional<std::string>> utm_content;

    bool operator==(changes const&) const = default;
};

/// `before` and `after` name the same fields. A new password shows as has_password in both, its hash in
/// `personal`; a password that was cleared has an empty `personal.password_hash`.
struct updated {
    domain::link_id link_id;
    std::optional<domain::domain_id> domain_id;
    changes before;
    changes after;
    std::optional<secret> personal;

    bool operator==(updated const&) const = default;
};

struct disabled {
    domain::link_id link_id;

    bool operator==(disabled const&) const = default;
};

struct enabled {
    domain::link_id link_id;

    bool operator==(enabled const&) const = default;
};

/// Gives the short code free for others.
struct deleted {
    domain::link_id link_id;
    std::optional<domain::domain_id> domain_id;
    std::string short_code;

    bool operator==(deleted const&) const = default;
};

/// Takes the short code back; refused when another link holds it meanwhile.
struct restored {
    domain::link_id link_id;
    std::optional<domain::domain_id> domain_id;
    std::string short_code;

    bool operator==(restored const&) const = default;
};

BOOST_DESCRIBE_STRUCT(secret, (), (password_hash))
BOOST_DESCRIBE_STRUCT(created, (),
                      (link_id, workspace_id, user_id, domain_id, url, short_code, title, description,
                       favicon_url, og_image_url, tags, has_password, expires_at, max_clicks, utm_source,
                       utm_medium, utm_campaign, utm_term, utm_content, personal))
BOOST_DESCRIBE_STRUCT(changes, (),
                      (url, short_code, title, description, favicon_url, og_image_url, tags, has_password,
                       expires_at, max_clicks, utm_source, utm_medium, utm_campaign, utm_term, utm_content))
BOOST_DESCRIBE_STRUCT(updated, (), (link_id, domain_id, before, after, personal))
BOOST_DESCRIBE_STRUCT(disabled, (), (link_id))
BOOST_DESCRIBE_STRUCT(enabled, (), (link_id))
BOOST_DESCRIBE_STRUCT(deleted, (), (link_id, domain_id, short_code))
BOOST_DESCRIBE_STRUCT(restored, (), (link_id, domain_id, short_code))

}  // namespace linkledger::domain::link
