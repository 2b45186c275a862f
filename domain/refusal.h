#pragma once
// A refusal: the domain says no. It is a value, never an exception, and becomes a 4xx problem at the edge.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace linkledger::domain {

/// Stable codes that clients may branch on; `code_text` gives the form on the wire.
enum class refusal_code {
    invalid_input,       ///< 400. A field breaks a rule; `fields` says which. The client mends the input.
    unauthenticated,     ///< 401. No key, or one that is unknown, revoked or expired. Send a valid key.
    forbidden,           ///< 403. The caller's role or scopes do not allow it. Ask an admin or owner.
    not_found,           ///< 404. No such thing, or none that this caller may know of.
    link_gone,           ///< 410. The link is deleted, disabled, expired or at max_clicks.
    short_code_taken,    ///< 409. Another living link of this domain has the code. Choose another.
    slug_taken,          ///< 409. Another workspace has the slug. Choose another.
    already_member,      ///< 409. The invited person is a member already.
    already_invited,     ///< 409. An open invitation for this address exists. Revoke it first.
    email_taken,         ///< 409. Another user has the e-mail address.
    invitation_invalid,  ///< 410. The token is unknown, used, revoked or expired. Ask for a new invitation.
    last_owner,          ///< 409. The workspace's last owner can neither leave nor lose the role.
    link_deleted,        ///< 409. A deleted link cannot be changed; restore it first.
    version_conflict,    ///< 412. If-Match named a version that is not the stream's. Read again, retry.
    idempotency_key_reused,  ///< 422. The same key came with another body. Use a new key.
};

[[nodiscard]] constexpr std::string_view code_text(refusal_code code) {
    switch (code) {
        case refusal_code::invalid_input:
            return "invalid_input";
        case refusal_code::unauthenticated:
            return "unauthenticated";
        case refusal_code::forbidden:
            return "forbidden";
        case refusal_code::not_found:
            return "not_found";
        case refusal_code::link_gone:
            return "link_gone";
        case refusal_code::short_code_taken:
            return "short_code_taken";
        case refusal_code::slug_taken:
            return "slug_taken";
        case refusal_code::already_member:
            return "already_member";
        case refusal_code::already_invited:
            return "already_invited";
        case refusal_code::email_taken:
            return "email_taken";
        case refusal_code::invitation_invalid:
            return "invitation_invalid";
        case refusal_code::last_owner:
            return "last_owner";
        case refusal_code::link_deleted:
            return "link_deleted";
        case refusal_code::version_conflict:
            return "version_conflict";
        case refusal_code::idempotency_key_reused:
            return "idempotency_key_reused";
    }
    return "unknown";
}

[[nodiscard]] constexpr int http_status(refusal_code code) {
    switch (code) {
        case refusal_code::invalid_input:
            return 400;
        case refusal_code::unauthenticated:
            return 401;
        case refusal_code::forbidden:
            return 403;
        case refusal_code::not_found:
            return 404;
        case refusal_code::link_gone:
        case refusal_code::invitation_invalid:
            return 410;
        case refusal_code::version_conflict:
            return 412;
        case refusal_code::idempotency_key_reused:
            return 422;
        default:
            return 409;
    }
}

struct field_error {
    std::string field;    ///< The field's name, with its path where nested: `tags[3]`.
    std::string message;  ///< One sentence that says what would be accepted.

    bool operator==(field_error const&) const = default;
};

struct refusal {
    refusal_code code = refusal_code::invalid_input;
    std::string detail;  ///< One sentence for a person; never holds a secret.
    std::vector<field_error> fields{};

    bool operator==(refusal const&) const = default;
};

[[nodiscard]] inline refusal invalid_field(std::string field, std::string message) {
    std::string detail = field + ": " + message;
    return {refusal_code::invalid_input, std::move(detail), {{std::move(field), std::move(message)}}};
}

}  // namespace linkledger::domain
