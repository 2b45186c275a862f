#include "domain/rules.h"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <arpa/inet.h>
#include <idn2.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <memory>
#include <unordered_set>

namespace linkledger::domain::rules {
namespace {

bool is_ascii_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_control(char c) {
    auto const byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F;
}

bool is_continuation(char c) {
    return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

std::string to_lower_ascii(std::string_view text) {
    std::string lower{text};
    for (char& c : lower) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return lower;
}

std::string_view trim(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n\v\f";
    auto const first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string at_most(std::size_t count) {
    return "must be at most " + std::to_string(count) + " characters";
}

/// What every text is held to. `allowed` are control characters that may stand in it nevertheless.
std::optional<broken> text_problem(std::string_view text, std::size_t characters_max,
                                   std::string_view allowed = {}) {
    if (!is_utf8(text)) return broken{"must be valid UTF-8"};
    auto const forbidden = [&](char c) { return is_control(c) && allowed.find(c) == std::string_view::npos; };
    if (std::any_of(text.begin(), text.end(), forbidden)) {
        return broken{"must not contain control characters"};
    }
    if (count_characters(text) > characters_max) return broken{at_most(characters_max)};
    return std::nullopt;
}

checked<std::string> trimmed_text(std::string_view text, std::size_t characters_max, bool may_be_empty,
                                  std::string_view allowed = {}) {
    std::string_view const kept = trim(text);
    if (kept.empty() && !may_be_empty) return broken{"must not be empty"};
    if (auto problem = text_problem(kept, characters_max, allowed)) return *problem;
    return std::string{kept};
}

std::unordered_set<std::string_view> const& reserved_words() {
    static std::unordered_set<std::string_view> const words = {
        // Paths that are served, or that browsers and robots ask for on their own.
        "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "api", "apis", "rest", "graphql", "grpc", "rpc",
        "log", "logs", "events", "docs", "doc", "openapi", "openapi-json", "swagger", "redoc", "health",
        "healthz", "readyz", "livez", "ready", "live", "metrics", "status", "ping", "version", "debug",
        "favicon", "robots", "sitemap", "humans", "manifest", "well-known", "apple-app-site-association",
        "browserconfig", "crossdomain", "service-worker", "index", "index-html", "ads", "security", "cgi-bin",
        // Accounts and the application.
        "admin", "administrator", "root", "app", "apps", "account", "accounts", "auth", "oauth", "oauth2",
        "sso", "saml", "oidc", "login", "log-in", "logout", "log-out", "signin", "sign-in", "signout",
        "sign-out", "signup", "sign-up", "register", "registration", "password", "passwords", "reset",
        "forgot", "verify", "confirm", "invite", "invites", "invitation", "invitations", "accept", "join",
        "session", "sessions", "token", "tokens", "key", "keys", "api-keys", "api_keys", "me", "user",
        "users", "profile", "profiles", "settings", "preferences", "dashboard", "console", "panel", "home",
        "new", "create", "edit", "update", "delete", "remove", "search", "explore", "team", "teams", "member",
        "members", "org", "orgs", "organization", "organizations", "workspace", "workspaces", "project",
        "projects",
        // What this service names things.
        "link", "links", "click", "clicks", "command", "commands", "projection", "projections", "rebuild",
        "replay", "audit", "audit-log", "audit-logs", "audit_logs", "domain", "domains", "tag", "tags", "qr",
        "qrcode", "qr-code", "qrcodes", "bio", "bios", "page", "pages", "webhook", "webhooks", "hook",
        "hooks", "billing", "invoice", "invoices", "plan", "plans", "pricing", "subscription",
        "subscriptions", "checkout", "payment", "payments", "coupon", "coupons", "promotion", "promotions",
        "import", "export", "download", "downloads", "upload", "uploads", "analytics", "stats", "statistics",
        "report", "reports", "realtime", "stream", "streams", "feed", "rss", "atom", "preview", "abuse",
        // Files and the outside.
        "asset", "assets", "static", "public", "private", "img", "image", "images", "css", "js", "font",
        "fonts", "media", "file", "files", "cdn", "www", "mail", "email", "ftp", "blog", "news", "about",
        "contact", "help", "support", "faq", "terms", "tos", "privacy", "imprint", "impressum", "legal",
        "cookies", "cookie", "license", "error", "errors", "404", "410", "500", "null", "undefined", "true",
        "false", "none", "test", "example", "localhost", "internal", "system", "server", "proxy", "nginx"};
    return words;
}

bool is_hex_digit(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// RFC 3986: pchar, `/` and `?`, without what is encoded; `#` is not among them.
bool may_stand_in_path(char c) {
    return is_ascii_alphanumeric(c) ||
           std::string_view{"-._~!$&'()*+,;=:@/?"}.find(c) != std::string_view::npos;
}

/// RFC 3986, reg-name: unreserved and sub-delims. What stands in an IP literal is checked apart.
bool may_stand_in_host(char c) {
    return is_ascii_alphanumeric(c) || std::string_view{"-._~!$&'()*+,;="}.find(c) != std::string_view::npos;
}

void append_encoded(std::string& into, char c) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    auto const byte = static_cast<unsigned char>(c);
    into += '%';
    into += digits[byte >> 4];
    into += digits[byte & 15];
}

/// Encodes what `may_stand` does not let through. An escape that is there already is kept; a `%` that begins
/// none is encoded.
template <typename MayStand>
std::string percent_encode(std::string_view text, MayStand const& may_stand) {
    std::string encoded;
    encoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        char const c = text[i];
        bool const is_escape =
            c == '%' && i + 2 < text.size() && is_hex_digit(text[i + 1]) && is_hex_digit(text[i + 2]);
        if (is_escape || may_stand(c)) {
            encoded += c;
        } else {
            append_encoded(encoded, c);
        }
    }
    return encoded;
}

struct url_parts {
    std::string_view scheme;     ///< `http` or `https`, as written.
    std::string_view authority;  ///< Host and port.
    std::string_view target;     ///< Path and query.
    std::optional<std::string_view> fragment;
};

/// None unless the text begins with http:// or https:// in any case.
std::optional<url_parts> split_url(std::string_view text) {
    auto const colon = text.find("://");
    if (colon == std::string_view::npos) return std::nullopt;
    url_parts parts;
    parts.scheme = text.substr(0, colon);
    std::string const scheme = to_lower_ascii(parts.scheme);
    if (scheme != "http" && scheme != "https") return std::nullopt;
    std::string_view rest = text.substr(colon + 3);
    auto const authority_end = std::min(rest.find_first_of("/?#"), rest.size());
    parts.authority = rest.substr(0, authority_end);
    rest.remove_prefix(authority_end);
    auto const hash = rest.find('#');
    parts.target = rest.substr(0, hash);
    if (hash != std::string_view::npos) parts.fragment = rest.substr(hash + 1);
    return parts;
}

struct host_and_port {
    std::string_view host;
    std::optional<std::string_view> port;
};

host_and_port split_authority(std::string_view authority) {
    auto const search_from = authority.starts_with('[') ? authority.find(']') : 0;
    auto const colon = authority.find(':', std::min(search_from, authority.size()));
    if (colon == std::string_view::npos) return {authority, std::nullopt};
    return {authority.substr(0, colon), authority.substr(colon + 1)};
}

/// Empty or 1 to 65535.
bool is_port(std::string_view text) {
    if (text.empty()) return true;
    auto const is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (text.size() > 5 || !std::all_of(text.begin(), text.end(), is_digit)) return false;
    int const number = std::stoi(std::string{text});
    return number >= 1 && number <= 65'535;
}

bool is_ip_literal(std::string_view host) {
    if (!host.starts_with('[') || !host.ends_with(']') || host.size() < 4) return false;
    std::string_view const inside = host.substr(1, host.size() - 2);
    auto const fits = [](char c) { return is_hex_digit(c) || c == ':' || c == '.'; };
    return std::all_of(inside.begin(), inside.end(), fits) && inside.find(':') != std::string_view::npos;
}

/// A name of labels, or an IP literal in brackets. Non-ASCII names are let through: browsers resolve their
/// percent-encoded form.
bool is_host(std::string_view host) {
    if (host.starts_with('[')) return is_ip_literal(host);
    if (host.empty() || host.size() > 253 || host.front() == '.' ||
        host.find("..") != std::string_view::npos) {
        return false;
    }
    auto const fits = [](char c) {
        return is_ascii_alphanumeric(c) || c == '-' || c == '.' || c == '_' || (c & 0x80) != 0;
    };
    return std::all_of(host.begin(), host.end(), fits);
}

/// A name as browsers resolve it (UTS #46): letters of full width, ideographic dots and invisible characters
/// are another spelling of the same name. What cannot be mapped is no name for a browser either, and stays.
std::string ascii_name(std::string_view host) {
    char* mapped = nullptr;
    std::string const name{host};
    int const status = idn2_to_ascii_8z(name.c_str(), &mapped, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    std::unique_ptr<char, void (*)(void*)> const owned{mapped, idn2_free};
    return status == IDN2_OK && mapped != nullptr ? std::string{mapped} : to_lower_ascii(host);
}

/// The address in four numbers that a browser makes of `127.1`, `0x7f000001` or `2130706433`; none: it is a
/// name.
std::optional<std::string> ipv4_of(std::string_view host) {
    in_addr address{};
    auto const fits = [](char c) { return is_hex_digit(c) || c == '.' || c == 'x' || c == 'X'; };
    if (!std::all_of(host.begin(), host.end(), fits)) return std::nullopt;
    if (::inet_aton(std::string{host}.c_str(), &address) == 0) return std::nullopt;
    std::array<char, INET_ADDRSTRLEN> text{};
    return ::inet_ntop(AF_INET, &address, text.data(), text.size());
}

/// `[::1]` in its shortest form, an address of IPv4 in disguise as that.
std::string canonical_ipv6(std::string_view host) {
    in6_addr address{};
    if (host.size() < 2 ||
        ::inet_pton(AF_INET6, std::string{host.substr(1, host.size() - 2)}.c_str(), &address) != 1)
        return to_lower_ascii(host);
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (IN6_IS_ADDR_V4MAPPED(&address))
        return ::inet_ntop(AF_INET, &address.s6_addr[12], text.data(), text.size());
    return std::string{"["} + ::inet_ntop(AF_INET6, &address, text.data(), text.size()) + "]";
}

std::string canonical_host(std::string_view host) {
    if (host.starts_with('[')) return canonical_ipv6(host);
    bool const is_ascii = std::none_of(host.begin(), host.end(), [](char c) { return (c & 0x80) != 0; });
    std::string name = is_ascii ? to_lower_ascii(host) : ascii_name(host);
    if (name.ends_with('.')) name.pop_back();
    return ipv4_of(name).value_or(name);
}

std::optional<broken> characters_problem(std::string_view text) {
    if (!is_utf8(text)) return broken{"must be valid UTF-8"};
    if (std::any_of(text.begin(), text.end(), [](char c) { return is_control(c) || c == ' '; })) {
        return broken{"must not contain whitespace or control characters; encode them as %20 and the like"};
    }
    return std::nullopt;
}

std::optional<broken> authority_problem(std::string_view authority, std::string_view own_host) {
    if (authority.find('@') != std::string_view::npos) {
        return broken{"must not contain a user name or password"};
    }
    auto const [host, port] = split_authority(authority);
    if (host.empty()) return broken{"must name a host, as in https://example.com/"};
    if (!is_host(host)) return broken{"must have a valid host name or address"};
    if (port && !is_port(*port)) return broken{"must have a port from 1 to 65535, or none"};
    if (!own_host.empty() && canonical_host(host) == canonical_host(own_host)) {
        return broken{"must not point to this service itself"};
    }
    return std::nullopt;
}

bool is_domain_label(std::string_view label) {
    auto const fits = [](char c) { return is_ascii_alphanumeric(c) || c == '-' || (c & 0x80) != 0; };
    return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
           std::all_of(label.begin(), label.end(), fits);
}

/// At least two labels.
bool is_mail_domain(std::string_view domain) {
    std::size_t labels = 0;
    while (true) {
        auto const dot = domain.find('.');
        if (!is_domain_label(domain.substr(0, dot))) return false;
        ++labels;
        if (dot == std::string_view::npos) return labels >= 2;
        domain.remove_prefix(dot + 1);
    }
}

bool is_mailbox_name(std::string_view local) {
    auto const fits = [](char c) {
        return is_ascii_alphanumeric(c) || (c & 0x80) != 0 ||
               std::string_view{"!#$%&'*+/=?^_`{|}~.-"}.find(c) != std::string_view::npos;
    };
    return !local.empty() && local.size() <= 64 && local.front() != '.' && local.back() != '.' &&
           local.find("..") == std::string_view::npos && std::all_of(local.begin(), local.end(), fits);
}

}  // namespace

bool is_utf8(std::string_view text) {
    std::size_t i = 0;
    while (i < text.size()) {
        auto const lead = static_cast<unsigned char>(text[i]);
        if (lead < 0x80) {
            ++i;
            continue;
        }
        std::size_t const length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
        if (lead < 0xC2 || lead > 0xF4 || text.size() - i < length) return false;
        for (std::size_t k = 1; k < length; ++k) {
            if (!is_continuation(text[i + k])) return false;
        }
        // The second byte rules out overlong forms, surrogates and what lies beyond U+10FFFF.
        auto const second = static_cast<unsigned char>(text[i + 1]);
        if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
            (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) {
            return false;
        }
        i += length;
    }
    return true;
}

std::size_t count_characters(std::string_view utf8) {
    return static_cast<std::size_t>(
        std::count_if(utf8.begin(), utf8.end(), [](char c) { return !is_continuation(c); }));
}

bool is_reserved_word(std::string_view short_code) {
    return reserved_words().contains(to_lower_ascii(short_code));
}

checked<std::string> short_code(std::string_view text) {
    auto const fits = [](char c) { return is_ascii_alphanumeric(c) || c == '_' || c == '-'; };
    if (text.size() < short_code_characters_min || text.size() > short_code_characters_max ||
        !std::all_of(text.begin(), text.end(), fits)) {
        return broken{"must be 3 to 50 of the characters A-Z, a-z, 0-9, _ and -"};
    }
    if (is_reserved_word(text)) return broken{"is a word that the service keeps for itself; choose another"};
    return std::string{text};
}

checked<std::string> url(std::string_view text, std::string_view own_host) {
    if (text.empty()) return broken{"must not be empty"};
    if (text.size() > url_bytes_max) return broken{"must be at most 8192 bytes"};
    if (auto problem = characters_problem(text)) return *problem;
    auto const parts = split_url(text);
    if (!parts) return broken{"must begin with http:// or https://"};
    if (auto problem = authority_problem(parts->authority, own_host)) return *problem;

    auto const [host, port] = split_authority(parts->authority);
    std::string kept = to_lower_ascii(parts->scheme) + "://";
    kept += host.starts_with('[') ? std::string{host} : percent_encode(host, may_stand_in_host);
    if (port && !port->empty()) kept += ":" + std::string{*port};
    kept += percent_encode(parts->target, may_stand_in_path);
    if (parts->fragment) kept += "#" + percent_encode(*parts->fragment, may_stand_in_path);
    if (kept.size() > url_bytes_max) return broken{"must be at most 8192 bytes once percent-encoded"};
    if (boost::urls::parse_uri(kept).has_error()) return broken{"must be a valid URL (RFC 3986)"};
    return kept;
}

std::string host_of(std::string_view text) {
    auto const parts = split_url(text);
    if (!parts) return {};
    auto const at = parts->authority.rfind('@');
    std::string_view const authority =
        at == std::string_view::npos ? parts->authority : parts->authority.substr(at + 1);
    return canonical_host(split_authority(authority).host);
}

checked<std::string> email(std::string_view text) {
    std::string_view const trimmed = trim(text);
    auto const at = trimmed.rfind('@');
    if (trimmed.size() > email_bytes_max || !is_utf8(trimmed) || at == std::string_view::npos ||
        !is_mailbox_name(trimmed.substr(0, at)) || !is_mail_domain(trimmed.substr(at + 1))) {
        return broken{"must be an e-mail address, as in name@example.com"};
    }
    return to_lower_ascii(trimmed);
}

checked<std::string> slug(std::string_view text) {
    auto const fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
    if (text.size() < slug_characters_min || text.size() > slug_characters_max ||
        !std::all_of(text.begin(), text.end(), fits) || text.front() == '-' || text.back() == '-') {
        return broken{"must be 2 to 63 of the characters a-z, 0-9 and -, without - at either end"};
    }
    return std::string{text};
}

checked<std::string> name(std::string_view text) {
    return trimmed_text(text, name_characters_max, false);
}

checked<std::string> title(std::string_view text) {
    return trimmed_text(text, title_characters_max, true);
}

checked<std::string> description(std::string_view text) {
    return trimmed_text(text, description_characters_max, true, "\n\r\t");
}

checked<std::string> utm(std::string_view text) {
    return trimmed_text(text, utm_characters_max, true);
}

checked<std::string> tag(std::string_view text) {
    return trimmed_text(text, tag_characters_max, false);
}

checked<std::string> password(std::string_view text) {
    if (text.empty() || text.size() > password_bytes_max || !is_utf8(text)) {
        return broken{"must be 1 to 256 bytes of UTF-8"};
    }
    return std::string{text};
}

checked<std::int64_t> max_clicks(std::int64_t count) {
    if (count < 1) return broken{"must be at least 1"};
    return count;
}

checked<timestamp> expires_at(timestamp at, timestamp now) {
    if (at <= now) return broken{"must be in the future"};
    // The year 10000 would be written with five digits, which no reader of RFC 3339 takes.
    if (at >= timestamp{std::chrono::sys_days{std::chrono::year{9999} / 12 / 31}}) {
        return broken{"must be before the year 9999 ends"};
    }
    return at;
}

std::vector<std::string> findings::keep_tags(std::vector<std::string> const& tags) {
    if (tags.size() > tags_max) {
        add("tags", "must be at most 50 tags");
        return {};
    }
    std::vector<std::string> kept;
    for (std::size_t i = 0; i < tags.size(); ++i) {
        std::string one = keep("tags[" + std::to_string(i) + "]", tag(tags[i]));
        if (std::find(kept.begin(), kept.end(), one) == kept.end()) kept.push_back(std::move(one));
    }
    return kept;
}

refusal findings::to_refusal() const {
    refusal no{refusal_code::invalid_input, {}, errors_};
    for (auto const& error : errors_) {
        if (!no.detail.empty()) no.detail += "; ";
        no.detail += error.field + ": " + error.message;
    }
    return no;
}

}  // namespace linkledger::domain::rules
