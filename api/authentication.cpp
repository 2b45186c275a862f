// Bearer keys (RFC 6750). The bus knows the keys and keeps them in memory.

#include "api/authentication.h"

#include "api/client_address.h"

#include <boost/describe/enum_to_string.hpp>

namespace linkledger::api {

namespace {

constexpr std::size_t credential_bytes_max = 256;
constexpr std::size_t user_agent_bytes_max = 1'024;

/// `00-<32 hex>-<16 hex>-<2 hex>` (W3C Trace Context); anything else is not passed on.
[[nodiscard]] bool is_traceparent(std::string_view text) {
    if (text.size() != 55) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        bool const dash = i == 2 || i == 35 || i == 52;
        bool const hex = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
        if (dash ? text[i] != '-' : !hex) return false;
    }
    return true;
}

}  // namespace

std::string_view bearer_of(request const& from) {
    constexpr std::string_view scheme = "Bearer ";
    auto const header = from.header("Authorization");
    if (!equal_ignoring_case(header.substr(0, scheme.size()), scheme)) return {};
    auto token = header.substr(scheme.size());
    token.remove_prefix(std::min(token.find_first_not_of(' '), token.size()));
    return token;
}

awaitable<bool> authenticate(exchange& x) {
    x.credential = bearer_of(x.from);
    domain::refusal refused{
        domain::refusal_code::unauthenticated, "Send a valid API key as Authorization: Bearer <key>.", {}};
    if (x.credential.empty() || x.credential.size() > credential_bytes_max) {
        x.refuse(refused);
        co_return false;
    }
    auto outcome = co_await x.shared.on.bus.authenticate(x.credential);
    if (auto const* failed = std::get_if<eventlog::failure>(&outcome)) {
        x.refuse(*failed);
        co_return false;
    }
    if (auto const* no = std::get_if<domain::refusal>(&outcome)) {
        x.refuse(*no);
        co_return false;
    }
    x.who = std::move(std::get<domain::caller>(outcome));
    if (!admit_key(x)) co_return false;
    if (!x.at->scope || domain::has_scope(x.who, *x.at->scope)) co_return true;
    refused.code = domain::refusal_code::forbidden;
    refused.detail =
        std::string{"The key lacks the scope "} + boost::describe::enum_to_string(*x.at->scope, "") + ".";
    x.refuse(refused);
    co_return false;
}

awaitable<bool> still_authentic(shared_state& shared, std::string_view credential, domain::scope needed) {
    auto outcome = co_await shared.on.bus.authenticate(credential);
    if (auto const* who = std::get_if<domain::caller>(&outcome)) co_return domain::has_scope(*who, needed);
    co_return std::holds_alternative<eventlog::failure>(outcome);
}

commands::sender sender_of(exchange const& x) {
    commands::sender from;
    from.credential = x.credential;
    from.correlation_id = x.request_id;
    auto const trace = x.from.header("traceparent");
    if (is_traceparent(trace)) from.traceparent = std::string{trace};
    from.context.ip_address = kept_address(x.client_address, x.shared.options.keep_ip);
    auto const agent = x.from.header("User-Agent");
    if (!agent.empty()) from.context.user_agent = std::string{agent.substr(0, user_agent_bytes_max)};
    return from;
}

}  // namespace linkledger::api
