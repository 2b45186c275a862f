// The redirect: what visitors meet. Every answer here is small and made for a browser, or for a program that
// asks for problem+json.

#include "api/client_address.h"
#include "api/exchange.h"
#include "api/handlers.h"

#include <spdlog/spdlog.h>

namespace linkledger::api {

namespace {

constexpr std::size_t password_bytes_max = 1'024;

[[nodiscard]] bool wants_html(request const& from) {
    return from.header("Accept").find("text/html") != std::string_view::npos;
}

/// A Location is ASCII (RFC 3986); what is not is escaped, byte by byte.
[[nodiscard]] std::string_view as_location(std::string const& url, std::string& storage) {
    constexpr std::string_view hex = "0123456789ABCDEF";
    auto const fits = [](char c) { return c > 0x20 && c < 0x7F; };
    if (std::all_of(url.begin(), url.end(), fits)) return url;
    for (char const c : url) {
        if (fits(c)) {
            storage += c;
        } else {
            auto const byte = static_cast<unsigned char>(c);
            storage.append({'%', hex[byte >> 4], hex[byte & 15]});
        }
    }
    return storage;
}

void send_page(response& to, int status, std::string_view title, std::string_view body) {
    to.status = status;
    to.add_header("Content-Type", "text/html; charset=utf-8");
    to.add_header("Cache-Control", "private, no-store");
    to.add_header("X-Content-Type-Options", "nosniff");
    to.add_header("Referrer-Policy", "no-referrer");
    // No form-action: browsers apply it to where the form's answer redirects, too.
    to.add_header("Content-Security-Policy",
                  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'");
    to.body = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>";
    to.body += title;
    to.body +=
        "</title><meta name=\"viewport\" content=\"width=device-width\"><meta name=\"robots\" "
        "content=\"noindex\"><style>body{font:16px/1.5 system-ui,sans-serif;max-width:28rem;margin:20vh "
        "auto 0;padding:0 1rem;color:#222;background:#fafafa}h1{font-size:1.3rem}input,button{font:inherit;"
        "padding:.5rem .7rem;border:1px solid #bbb;border-radius:.4rem;background:#fff;color:#222}button{"
        "cursor:pointer}@media(prefers-color-scheme:dark){body{color:#ddd;background:#1b1b1d}input,button{"
        "background:#2a2a2e;color:#ddd;border-color:#555}}</style><h1>";
    to.body += title;
    to.body += "</h1>";
    to.body += body;
}

void send_refusal(request const& from, response& to, problem const& what) {
    if (!wants_html(from)) return send(to, what);
    bool const gone = what.status == 410;
    std::string_view const title = gone                 ? "This link is no longer available"
                                   : what.status == 503 ? "One moment, please"
                                   : what.status == 404 ? "There is no such link"
                                                        : "This does not work";
    std::string_view const text = gone ? "<p>It was disabled, has expired, or was used up.</p>"
                                  : what.status == 503 ? "<p>The service is busy. Try again in a moment.</p>"
                                                       : "<p>Check the address for a typing mistake.</p>";
    send_page(to, what.status, title, text);
    if (what.retry_after_s > 0) to.add_header("Retry-After", std::to_string(what.retry_after_s));
}

void send_password_form(request const& from, response& to, bool was_wrong) {
    if (!wants_html(from)) {
        send(to, problem{401, was_wrong ? "password_wrong" : "password_required",
                         "Post the link's password as the form field password."});
    } else {
        std::string_view const text = was_wrong ? "<p>That was not the password.</p>"
                                                : "<p>Whoever gave you this link can tell it.</p>";
        send_page(to, 401, "This link needs a password", text);
        to.body +=
            "<form method=\"post\"><input type=\"password\" name=\"password\" aria-label=\"Password\" "
            "required autofocus autocomplete=\"off\" maxlength=\"1024\"> <button>Go on</button></form>";
        to.add_header("WWW-Authenticate", "Form");
    }
}

/// The password of a posted form. False: the body is no such form.
[[nodiscard]] bool read_password(request const& from, commands::visit& visit) {
    auto const type = from.header("Content-Type");
    constexpr std::string_view form = "application/x-www-form-urlencoded";
    if (!equal_ignoring_case(type.substr(0, form.size()), form)) return false;
    auto const fields = parse_form(from.body);
    if (!fields) return false;
    for (auto const& [name, value] : *fields)
        if (name == "password" && value.size() <= password_bytes_max) visit.password = value;
    return visit.password.has_value();
}

void send_outcome(request const& from, response& to, commands::visit_outcome const& outcome) {
    if (auto const* found = std::get_if<commands::redirect_to>(&outcome)) {
        std::string storage;
        to.status = 302;
        to.add_header("Location", as_location(found->url, storage));
        to.add_header("Cache-Control", "private, max-age=0");
    } else if (auto const* form = std::get_if<commands::password_wanted>(&outcome)) {
        send_password_form(from, to, form->was_wrong);
    } else if (auto const* refused = std::get_if<domain::refusal>(&outcome)) {
        send_refusal(from, to, problem_of(*refused));
    } else {
        auto const& failed = std::get<eventlog::failure>(outcome);
        spdlog::debug("a redirect failed: {}", failed.detail);
        send_refusal(from, to, problem_of(failed));
    }
}

}  // namespace

awaitable<void> follow_link(shared_state& shared, request const& from, response& to) {
    commands::visit visit;
    if (from.verb == method::post && !read_password(from, visit)) {
        send(to, problem{415, "unsupported_media_type",
                         "Post the form field password as application/x-www-form-urlencoded."});
        co_return;
    }
    visit.short_code = from.path.substr(1);
    visit.ip = shared.proxies.client_of(from);
    visit.user_agent = from.header("User-Agent");
    visit.referer = from.header("Referer");
    visit.query = from.query;
    visit.counts = from.verb != method::head;
    auto const outcome = co_await shared.on.bus.follow(visit);
    send_outcome(from, to, outcome);
}

}  // namespace linkledger::api
