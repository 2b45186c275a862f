// Refusals and failures as problem+json.

#include "api/problem.h"

#include "eventlog/json.h"

#include <array>

namespace linkledger::api {

namespace {

constexpr std::array codes{
    problem_code{"malformed_request", 400,
                 "The request is not valid HTTP or its target is not a valid path."},
    problem_code{"malformed_json", 400, "The body is not the JSON that is asked for. The detail says where."},
    problem_code{"password_required", 401, "The link has a password. Post it as the form field password."},
    problem_code{"password_wrong", 401, "That was not the link's password."},
    problem_code{"method_not_allowed", 405, "The path exists, with other methods; see Allow."},
    problem_code{"not_acceptable", 406, "None of the accepted media types is offered here."},
    problem_code{"rebuild_refused", 409,
                 "Another rebuild is running, or there is no such version. The detail says which."},
    problem_code{"request_timeout", 408, "The request came too slowly. Send it again on a new connection."},
    problem_code{"body_too_large", 413, "The body is over the limit. Split it."},
    problem_code{"target_too_long", 414, "The path and query are over the limit."},
    problem_code{"unsupported_media_type", 415,
                 "Commands are application/json; a link's password is a form."},
    problem_code{"expectation_failed", 417, "The only expectation that is met is 100-continue."},
    problem_code{"rate_limited", 429,
                 "Too many requests in a minute; see RateLimit-Limit. Go on after Retry-After."},
    problem_code{"headers_too_large", 431, "The headers are over the limit."},
    problem_code{"internal", 500, "A defect. The operator's log has it under the request's id."},
    problem_code{"transfer_encoding_unsupported", 501, "The only transfer coding is chunked."},
    problem_code{"corrupted", 503, "Stored bytes are damaged; the operator has to look."},
    problem_code{"unavailable", 503, "The database is away; nothing was written. Retry after Retry-After."},
    problem_code{"queue_full", 503, "Too much is waiting; nothing was written. Retry after Retry-After."},
    problem_code{"shutting_down", 503, "This process is stopping; nothing was written. Retry elsewhere."},
    problem_code{"timeout", 503, "No answer in time; nothing is known to be written. Retry."},
    problem_code{"unknown_outcome", 503,
                 "The write may have happened. Retry under the same Idempotency-Key."},
    problem_code{"projection_version_unknown", 503,
                 "The read model is live in a version that this process cannot read. Ask another process."},
    problem_code{"projection_behind", 504, "The read model is not at ?after= yet. Read again."},
    problem_code{"http_version_unsupported", 505, "Use HTTP/1.1."},
};

using domain::refusal_code;
constexpr std::array<std::pair<refusal_code, std::string_view>, 15> refusals{{
    {refusal_code::invalid_input, "A field breaks a rule; errors says which. Mend the input."},
    {refusal_code::unauthenticated, "No key, or one that is unknown, revoked or expired. Send a valid key."},
    {refusal_code::forbidden, "The role or the key's scopes do not allow it. Ask an admin or owner."},
    {refusal_code::not_found, "No such thing, or none that this key may know of."},
    {refusal_code::link_gone, "The link is deleted, disabled, expired or at max_clicks."},
    {refusal_code::short_code_taken, "Another living link has the code. Choose another."},
    {refusal_code::slug_taken, "Another workspace has the slug. Choose another."},
    {refusal_code::already_member, "The invited person is a member already."},
    {refusal_code::already_invited, "An open invitation for this address exists. Revoke it first."},
    {refusal_code::email_taken, "Another user has the e-mail address."},
    {refusal_code::invitation_invalid,
     "The token is unknown, used, revoked or expired. Ask for a new invitation."},
    {refusal_code::last_owner, "The workspace's last owner can neither leave nor lose the role."},
    {refusal_code::link_deleted, "A deleted link cannot be changed; restore it first."},
    {refusal_code::version_conflict, "If-Match named a version that is not the stream's. Read again, retry."},
    {refusal_code::idempotency_key_reused, "The same key came with another body. Use a new key."},
}};

[[nodiscard]] std::string_view failure_text(eventlog::failure_code code) {
    switch (code) {
        case eventlog::failure_code::unavailable:
            return "unavailable";
        case eventlog::failure_code::unknown_outcome:
            return "unknown_outcome";
        case eventlog::failure_code::timeout:
            return "timeout";
        case eventlog::failure_code::queue_full:
            return "queue_full";
        case eventlog::failure_code::shutting_down:
            return "shutting_down";
        case eventlog::failure_code::corrupted:
            return "corrupted";
    }
    return "unavailable";
}

[[nodiscard]] std::string_view meaning_of(std::string_view code) {
    for (auto const& known : codes)
        if (known.code == code) return known.meaning;
    return {};
}

}  // namespace

problem problem_of(domain::refusal const& refusal) {
    return {domain::http_status(refusal.code), std::string{domain::code_text(refusal.code)}, refusal.detail,
            refusal.fields, 0};
}

problem problem_of(eventlog::failure const& failure) {
    auto const code = failure_text(failure.code);
    int const retry_after_s = failure.code == eventlog::failure_code::shutting_down ? 5 : 1;
    return {503, std::string{code}, std::string{meaning_of(code)}, {}, retry_after_s};
}

std::string to_json(problem const& what) {
    json::bj::object object{{"type", "urn:linkledger:problem:" + what.code},
                            {"title", status_text(what.status)},
                            {"status", what.status},
                            {"code", what.code},
                            {"detail", what.detail}};
    if (!what.errors.empty()) {
        json::bj::array errors;
        for (auto const& [field, message] : what.errors)
            errors.push_back(json::bj::object{{"field", field}, {"message", message}});
        object["errors"] = std::move(errors);
    }
    return json::bj::serialize(object);
}

void send(response& to, problem const& what) {
    bool const close = to.close;
    to.clear();
    to.close = close;
    to.status = what.status;
    to.add_header("Content-Type", "application/problem+json");
    to.add_header("Cache-Control", "no-store");
    to.add_header("X-Content-Type-Options", "nosniff");
    if (what.status == 401) to.add_header("WWW-Authenticate", "Bearer");
    if (what.retry_after_s > 0) to.add_header("Retry-After", std::to_string(what.retry_after_s));
    to.body = to_json(what);
}

std::span<problem_code const> http_problem_codes() {
    return codes;
}

std::vector<problem_code> refusal_problem_codes() {
    std::vector<problem_code> all;
    for (auto const& [code, meaning] : refusals)
        all.push_back({domain::code_text(code), domain::http_status(code), meaning});
    return all;
}

std::string_view status_text(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 302:
            return "Found";
        case 303:
            return "See Other";
        case 304:
            return "Not Modified";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 406:
            return "Not Acceptable";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 410:
            return "Gone";
        case 412:
            return "Precondition Failed";
        case 413:
            return "Content Too Large";
        case 414:
            return "URI Too Long";
        case 415:
            return "Unsupported Media Type";
        case 417:
            return "Expectation Failed";
        case 422:
            return "Unprocessable Content";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        case 505:
            return "HTTP Version Not Supported";
        default:
            return "Unknown";
    }
}

}  // namespace linkledger::api
