#pragma once
// Errors on the wire: application/problem+json (RFC 9457) with a stable code. The one place where a refusal
// or a failure becomes a status.

#include "api/http.h"
#include "domain/refusal.h"
#include "eventlog/result.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace linkledger::api {

struct problem {
    int status = 500;
    std::string code;
    std::string detail;
    std::vector<domain::field_error> errors{};
    int retry_after_s = 0;  ///< 0: no Retry-After.
};

[[nodiscard]] problem problem_of(domain::refusal const& refusal);
/// Details of failures are for the operator's log; the client gets a sentence of ours.
[[nodiscard]] problem problem_of(eventlog::failure const& failure);

/// The JSON text: type, title, status, detail, code and, where there are any, errors.
[[nodiscard]] std::string to_json(problem const& what);

/// Makes `to` that problem's answer, whatever it was before.
void send(response& to, problem const& what);

/// Codes that the HTTP layer adds to those of domain::refusal_code, with their statuses and meanings; the
/// reference lists them.
struct problem_code {
    std::string_view code;
    int status;
    std::string_view meaning;  ///< Who sees it and what they can do about it.
};
[[nodiscard]] std::span<problem_code const> http_problem_codes();
/// The same for the domain's codes.
[[nodiscard]] std::vector<problem_code> refusal_problem_codes();

[[nodiscard]] std::string_view status_text(int status);

}  // namespace linkledger::api
