#pragma once
// What each command takes and answers, as described structs: read strictly from JSON, written to JSON, and
// the source of the OpenAPI document. A new command: its structs, and one line in LINKLEDGER_COMMANDS.

#include "domain/access.h"
#include "domain/ids.h"
#include "domain/refusal.h"
#include "domain/time.h"

#include <boost/describe/class.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace linkledger::commands {

// ---- What clients send ----------------------------------------------------------------------------------

struct create_workspace_input {
    std::string name;
    std::string slug;
};
struct rename_workspace_input {
    domain::workspace_id workspace_id;
    std::string name;
};
struct invite_member_input {
    domain::workspace_id workspace_id;
    std::string email;
    domain::role role = domain::role::viewer;
};
struct accept_invitation_input {
    std::string token;
    std::string name;
};
struct revoke_invitation_input {
    domain::workspace_id workspace_id;
    domain::invitation_id invitation_id;
};
struct change_member_role_input {
    domain::workspace_id workspace_id;
    domain::user_id user_id;
    domain::role role = domain::role::viewer;
};
struct remove_member_input {
    domain::workspace_id workspace_id;
    domain::user_id user_id;
};
struct create_link_input {
    domain::workspace_id workspace_id;
    std::string url;
    std::optional<std::string> short_code;
    std::optional<std::string> title;
    std::optional<std::string> description;
    std::optional<std::string> favicon_url;
    std::optional<std::string> og_image_url;
    std::optional<std::vector<std::string>> tags;
    std::optional<std::string> password;
    std::optional<domain::timestamp> expires_at;
    std::optional<std::int64_t> max_clicks;
    std::optional<std::string> utm_source;
    std::optional<std::string> utm_medium;
    std::optional<std::string> utm_campaign;
    std::optional<std::string> utm_term;
    std::optional<std::string> utm_content;
};
/// Absent: unchanged; null: cleared (which `url` and `short_code` cannot be).
struct update_link_input {
    domain::link_id link_id;
    std::optional<std::optional<std::string>> url;
    std::optional<std::optional<std::string>> short_code;
    std::optional<std::optional<std::string>> title;
    std::optional<std::optional<std::string>> description;
    std::optional<std::optional<std::string>> favicon_url;
    std::optional<std::optional<std::string>> og_image_url;
    std::optional<std::optional<std::vector<std::string>>> tags;
    std::optional<std::optional<std::string>> password;
    std::optional<std::optional<domain::timestamp>> expires_at;
    std::optional<std::optional<std::int64_t>> max_clicks;
    std::optional<std::optional<std::string>> utm_source;
    std::optional<std::optional<std::string>> utm_medium;
    std::optional<std::optional<std::string>> utm_campaign;
    std::optional<std::optional<std::string>> utm_term;
    std::optional<std::optional<std::string>> utm_content;
};
struct disable_link_input {
    domain::link_id link_id;
};
struct enable_link_input {
    domain::link_id link_id;
};
struct delete_link_input {
    domain::link_id link_id;
};
struct restore_link_input {
    domain::link_id link_id;
};
struct click_link_input {
    std::optional<std::string> short_code;
    std::optional<domain::link_id> link_id;
    std::optional<std::string> visitor;
    std::optional<std::string> ip;
    std::optional<std::string> user_agent;
    std::optional<std::string> referer;
    std::optional<domain::timestamp> occurred_at;
};
struct issue_api_key_input {
    domain::workspace_id workspace_id;
    std::string name;
    std::vector<domain::scope> scopes;
    std::optional<domain::timestamp> expires_at;
};
struct revoke_api_key_input {
    domain::api_key_id api_key_id;
};
/// A person by user_id or email, or the click details of a workspace's days.
struct erase_subject_input {
    std::optional<domain::user_id> user_id;
    std::optional<std::string> email;
    std::optional<domain::workspace_id> workspace_id;
    std::optional<std::string> first_day;
    std::optional<std::string> last_day;
};

BOOST_DESCRIBE_STRUCT(create_workspace_input, (), (name, slug))
BOOST_DESCRIBE_STRUCT(rename_workspace_input, (), (workspace_id, name))
BOOST_DESCRIBE_STRUCT(invite_member_input, (), (workspace_id, email, role))
BOOST_DESCRIBE_STRUCT(accept_invitation_input, (), (token, name))
BOOST_DESCRIBE_STRUCT(revoke_invitation_input, (), (workspace_id, invitation_id))
BOOST_DESCRIBE_STRUCT(change_member_role_input, (), (workspace_id, user_id, role))
BOOST_DESCRIBE_STRUCT(remove_member_input, (), (workspace_id, user_id))
BOOST_DESCRIBE_STRUCT(create_link_input, (),
                      (workspace_id, url, short_code, title, description, favicon_url, og_image_url, tags,
                       password, expires_at, max_clicks, utm_source, utm_medium, utm_campaign, utm_term,
                       utm_content))
BOOST_DESCRIBE_STRUCT(update_link_input, (),
                      (link_id, url, short_code, title, description, favicon_url, og_image_url, tags,
                       password, expires_at, max_clicks, utm_source, utm_medium, utm_campaign, utm_term,
                       utm_content))
BOOST_DESCRIBE_STRUCT(disable_link_input, (), (link_id))
BOOST_DESCRIBE_STRUCT(enable_link_input, (), (link_id))
BOOST_DESCRIBE_STRUCT(delete_link_input, (), (link_id))
BOOST_DESCRIBE_STRUCT(restore_link_input, (), (link_id))
BOOST_DESCRIBE_STRUCT(click_link_input, (),
                      (short_code, link_id, visitor, ip, user_agent, referer, occurred_at))
BOOST_DESCRIBE_STRUCT(issue_api_key_input, (), (workspace_id, name, scopes, expires_at))
BOOST_DESCRIBE_STRUCT(revoke_api_key_input, (), (api_key_id))
BOOST_DESCRIBE_STRUCT(erase_subject_input, (), (user_id, email, workspace_id, first_day, last_day))

// ---- What they get back ---------------------------------------------------------------------------------

struct workspace_result {
    domain::workspace_id workspace_id;
};
struct invitation_result {
    domain::invitation_id invitation_id;
    std::string token;  ///< In this answer alone.
};
struct membership_result {
    domain::user_id user_id;
    domain::workspace_id workspace_id;
    std::string api_key;  ///< In this answer alone.
};
struct revoked_invitation_result {
    domain::invitation_id invitation_id;
};
struct member_result {
    domain::workspace_id workspace_id;
    domain::user_id user_id;
};
struct link_result {
    domain::link_id link_id;
    std::string short_code;
    std::string short_url;
};
struct click_result {
    domain::link_id link_id;
};
struct issued_api_key_result {
    domain::api_key_id api_key_id;
    std::string api_key;  ///< In this answer alone.
};
struct api_key_result {
    domain::api_key_id api_key_id;
};
struct erasure_result {
    std::optional<domain::user_id> user_id;  ///< Who was erased, where they were a user.
    std::int64_t keys_destroyed = 0;
    std::int64_t invitations = 0;  ///< That named the person.
    bool is_done = true;           ///< False: click details go within minutes.
};

BOOST_DESCRIBE_STRUCT(workspace_result, (), (workspace_id))
BOOST_DESCRIBE_STRUCT(invitation_result, (), (invitation_id, token))
BOOST_DESCRIBE_STRUCT(membership_result, (), (user_id, workspace_id, api_key))
BOOST_DESCRIBE_STRUCT(revoked_invitation_result, (), (invitation_id))
BOOST_DESCRIBE_STRUCT(member_result, (), (workspace_id, user_id))
BOOST_DESCRIBE_STRUCT(link_result, (), (link_id, short_code, short_url))
BOOST_DESCRIBE_STRUCT(click_result, (), (link_id))
BOOST_DESCRIBE_STRUCT(issued_api_key_result, (), (api_key_id, api_key))
BOOST_DESCRIBE_STRUCT(api_key_result, (), (api_key_id))
BOOST_DESCRIBE_STRUCT(erasure_result, (), (user_id, keys_destroyed, invitations, is_done))

// ---- The commands ---------------------------------------------------------------------------------------

/// X(name, input, result, scope or `none`, summary) for every command. `none`: the data is the credential.
#define LINKLEDGER_COMMANDS(X)                                                                             \
    X(CreateWorkspace, create_workspace_input, workspace_result, admin,                                    \
      "Creates a workspace that its creator owns.")                                                        \
    X(RenameWorkspace, rename_workspace_input, workspace_result, admin, "Gives a workspace another name.") \
    X(InviteMember, invite_member_input, invitation_result, admin,                                         \
      "Invites an e-mail address into a workspace; the answer holds the token to pass on.")                \
    X(AcceptInvitation, accept_invitation_input, membership_result, none,                                  \
      "Joins a workspace with an invitation's token; the answer holds the member's first API key.")        \
    X(RevokeInvitation, revoke_invitation_input, revoked_invitation_result, admin,                         \
      "Takes an open invitation back.")                                                                    \
    X(ChangeMemberRole, change_member_role_input, member_result, admin,                                    \
      "Gives a member of a workspace another role.")                                                       \
    X(RemoveMember, remove_member_input, member_result, admin, "Ends a membership.")                       \
    X(CreateLink, create_link_input, link_result, write,                                                   \
      "Creates a short link, with a given short code or a generated one.")                                 \
    X(UpdateLink, update_link_input, link_result, write,                                                   \
      "Changes the named fields of a link; null clears an optional one.")                                  \
    X(DisableLink, disable_link_input, link_result, write, "Stops a link's redirect.")                     \
    X(EnableLink, enable_link_input, link_result, write, "Starts a disabled link's redirect again.")       \
    X(DeleteLink, delete_link_input, link_result, write, "Deletes a link and gives its code free.")        \
    X(RestoreLink, restore_link_input, link_result, write,                                                 \
      "Brings a deleted link back, if its code is still free.")                                            \
    X(ClickLink, click_link_input, click_result, write,                                                    \
      "Reports a click that another server saw; names the link by short_code or link_id.")                 \
    X(IssueApiKey, issue_api_key_input, issued_api_key_result, admin,                                      \
      "Issues an API key of the caller for a workspace; the answer holds the key.")                        \
    X(RevokeApiKey, revoke_api_key_input, api_key_result, admin, "Ends an API key at once.")               \
    X(EraseSubject, erase_subject_input, erasure_result, admin,                                            \
      "Erases a person (user_id or email), or the click details of a workspace's days; the receipt is at " \
      "/v1/erasures/<position of the answer>.")

#define LINKLEDGER_COMMAND_ALTERNATIVE(NAME, INPUT, RESULT, SCOPE, SUMMARY) , INPUT
template <typename First, typename... Rest>
using inputs_without_first = std::variant<Rest...>;
/// The input of any command; the alternatives stand in the order of the list.
using any_input = inputs_without_first<void LINKLEDGER_COMMANDS(LINKLEDGER_COMMAND_ALTERNATIVE)>;
#undef LINKLEDGER_COMMAND_ALTERNATIVE

/// What a field means, where its name does not say it all. For the OpenAPI document.
struct field_description {
    std::string_view field;
    std::string_view text;
};
inline constexpr field_description field_descriptions[] = {
    {"url", "Where the link leads: http or https, 8,192 bytes at most."},
    {"short_code", "3 to 50 of A-Z a-z 0-9 _ -; made when absent."},
    {"slug", "2 to 63 of a-z 0-9 -; unique."},
    {"name", "1 to 255 characters."},
    {"title", "500 characters at most."},
    {"description", "5,000 characters at most."},
    {"favicon_url", "http or https."},
    {"og_image_url", "The picture for previews; http or https."},
    {"tags", "50 at most, of 50 characters each."},
    {"password", "Asked of visitors before the redirect; 1 to 256 bytes. Stored as argon2id."},
    {"expires_at", "RFC 3339, in the future."},
    {"max_clicks", "The exact number of clicks after which the link is gone; 1 at least."},
    {"utm_source", "255 characters at most."},
    {"utm_medium", "255 characters at most."},
    {"utm_campaign", "255 characters at most."},
    {"utm_term", "255 characters at most."},
    {"utm_content", "255 characters at most."},
    {"email", "The address of the person."},
    {"first_day", "The first UTC day, as in 2026-11-01; with workspace_id and last_day."},
    {"last_day", "The last UTC day; must have ended 8 days ago or earlier."},
    {"role", "viewer reads; member edits links; admin also members and keys; owner everything."},
    {"scopes", "What the key is good for, within its user's role."},
    {"token", "The invitation's token: a secret."},
    {"api_key", "A secret; shown in this answer alone."},
    {"visitor", "Whatever tells visitors apart; absent: address and user agent."},
    {"ip", "The visitor's address; kept only as far as the service is configured to."},
    {"occurred_at", "RFC 3339, in the past 7 days or 5 minutes ahead at most; absent: now."},
};

/// A request's data, read. `canonical` is its JSON in one spelling, for the idempotency fingerprint.
struct parsed_input {
    any_input input;
    std::string canonical;
};

/// Reads a command's data strictly. Refusals: not_found for an unknown command, invalid_input with every
/// error of the data.
[[nodiscard]] std::variant<parsed_input, domain::refusal> parse_input(std::string_view command,
                                                                      std::string_view data);

}  // namespace linkledger::commands
