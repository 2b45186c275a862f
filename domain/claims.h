#pragma once
// Uniqueness across streams: which claims an event takes and gives back. One function serves both the append
// of an event and the rebuilding of all claims from the log.

#include "domain/event.h"
#include "domain/workspace/workspace.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace linkledger::domain {

struct claim {
    enum class kind { acquire, release };
    kind what = kind::acquire;
    std::string scope;
    std::string key;
    std::string owner;  ///< The stream that holds it.

    bool operator==(claim const&) const = default;
};

namespace claim_scope {

inline constexpr std::string_view short_code = "short_code";  ///< key: short_code_key
/// key: short_code_key; a link that had the code was deleted. Its owner is the scope itself, so that every
/// such link may claim it: what is asked is only whether the claim is there (410, not 404) when no link has
/// the code.
inline constexpr std::string_view deleted_code = "deleted_code";
inline constexpr std::string_view slug = "slug";              ///< key: the slug
inline constexpr std::string_view email = "email";            ///< key: keyed hash of the address
inline constexpr std::string_view api_key = "api_key";        ///< key: the key's prefix; kept when revoked
inline constexpr std::string_view invitation = "invitation";  ///< key: the token's hash, while it is open
inline constexpr std::string_view invited_email = "invited_email";  ///< key: workspace and keyed hash
inline constexpr std::string_view bootstrap = "bootstrap";          ///< key: `first_admin`

}  // namespace claim_scope

/// Codes are unique per domain; the default domain has none in front of the slash.
[[nodiscard]] std::string short_code_key(std::optional<domain_id> const& domain, std::string_view short_code);

/// A keyed hash of a lower-cased e-mail address. The key is not the domain's business.
using email_hash = std::function<std::string(std::string_view email)>;

/// What goes back when a person is erased: the address, where a user has it, and in each workspace that
/// invited it the hold on the address and on the open invitations' tokens.
struct erased_claims {
    std::string hashed_email;
    std::optional<user_id> user;
    struct place {
        domain::workspace_id workspace_id;
        std::vector<std::string> token_hashes;
    };
    std::vector<place> places{};
};
[[nodiscard]] std::vector<claim> claims_of(erased_claims const& what);

/// The claims that `happened` changes. `before` is the workspace as it was before the event (needed for the
/// end of an invitation alone). What was erased claims nothing: an erased address is free again.
[[nodiscard]] std::vector<claim> claims_of(event const& happened, workspace::state const& before,
                                           email_hash const& hash);

}  // namespace linkledger::domain
