#include "domain/claims.h"

#include "domain/streams.h"

namespace linkledger::domain {
namespace {

using claims = std::vector<claim>;

claim acquire(std::string_view scope, std::string key, std::string owner) {
    return {claim::kind::acquire, std::string{scope}, std::move(key), std::move(owner)};
}
claim release(std::string_view scope, std::string key, std::string owner) {
    return {claim::kind::release, std::string{scope}, std::move(key), std::move(owner)};
}

std::string invited_email_key(workspace_id const& workspace, std::string const& hashed) {
    return to_string(workspace) + "/" + hashed;
}

/// Both ends of an invitation, accepted or revoked, give the same claims back.
claims end_of_invitation(workspace_id const& workspace, invitation_id const& ended,
                         workspace::state const& before, email_hash const& hash) {
    auto const found = before.invitations.find(ended);
    if (found == before.invitations.end()) return {};
    std::string const owner = stream_of(workspace);
    claims changed{release(claim_scope::invitation, found->second.token_hash, owner)};
    if (found->second.email) {
        changed.push_back(release(claim_scope::invited_email,
                                  invited_email_key(workspace, hash(*found->second.email)), owner));
    }
    return changed;
}

struct changes_of {
    workspace::state const& before;
    email_hash const& hash;

    claims operator()(workspace::created const& e) const {
        return {acquire(claim_scope::slug, e.slug, stream_of(e.workspace_id))};
    }
    claims operator()(workspace::invited const& e) const {
        std::string const owner = stream_of(e.workspace_id);
        claims changed{acquire(claim_scope::invitation, e.token_hash, owner)};
        if (e.personal) {
            changed.push_back(acquire(claim_scope::invited_email,
                                      invited_email_key(e.workspace_id, hash(e.personal->email)), owner));
        }
        return changed;
    }
    claims operator()(workspace::joined const& e) const {
        return end_of_invitation(e.workspace_id, e.invitation_id, before, hash);
    }
    claims operator()(workspace::invitation_revoked const& e) const {
        return end_of_invitation(e.workspace_id, e.invitation_id, before, hash);
    }
    claims operator()(user::registered const& e) const {
        if (!e.personal || !e.personal->email) return {};
        return {acquire(claim_scope::email, hash(*e.personal->email), stream_of(e.user_id))};
    }
    claims operator()(api_key::issued const& e) const {
        claims changed{acquire(claim_scope::api_key, e.prefix, stream_of(e.api_key_id))};
        // Held by the user, so that the first admin may get another such key, and nobody else does.
        if (e.root) changed.push_back(acquire(claim_scope::bootstrap, "first_admin", stream_of(e.user_id)));
        return changed;
    }
    claims operator()(link::created const& e) const {
        return {acquire(claim_scope::short_code, short_code_key(e.domain_id, e.short_code),
                        stream_of(e.link_id))};
    }
    claims operator()(link::updated const& e) const {
        if (!e.before.short_code || !e.after.short_code) return {};
        std::string const owner = stream_of(e.link_id);
        return {release(claim_scope::short_code, short_code_key(e.domain_id, *e.before.short_code), owner),
                acquire(claim_scope::short_code, short_code_key(e.domain_id, *e.after.short_code), owner)};
    }
    claims operator()(link::deleted const& e) const {
        std::string const key = short_code_key(e.domain_id, e.short_code);
        return {release(claim_scope::short_code, key, stream_of(e.link_id)),
                acquire(claim_scope::deleted_code, key, std::string{claim_scope::deleted_code})};
    }
    claims operator()(link::restored const& e) const {
        std::string const key = short_code_key(e.domain_id, e.short_code);
        return {release(claim_scope::deleted_code, key, std::string{claim_scope::deleted_code}),
                acquire(claim_scope::short_code, key, stream_of(e.link_id))};
    }

    // These change no claim; a new event has to say so too.
    claims operator()(workspace::renamed const&) const { return {}; }
    claims operator()(workspace::role_changed const&) const { return {}; }
    claims operator()(workspace::member_removed const&) const { return {}; }
    claims operator()(api_key::revoked const&) const { return {}; }
    claims operator()(link::disabled const&) const { return {}; }
    claims operator()(link::enabled const&) const { return {}; }
    claims operator()(click::clicked const&) const { return {}; }
    claims operator()(click::settled const&) const { return {}; }
    // What an erased person had claimed is given back by the command, which still knows the address;
    // afterwards their events claim nothing.
    claims operator()(erasure::person_erased const&) const { return {}; }
    claims operator()(erasure::details_ordered const&) const { return {}; }
    claims operator()(erasure::details_erased const&) const { return {}; }
};

}  // namespace

std::vector<claim> claims_of(erased_claims const& what) {
    claims back;
    if (what.user) back.push_back(release(claim_scope::email, what.hashed_email, stream_of(*what.user)));
    for (auto const& [workspace, tokens] : what.places) {
        std::string const owner = stream_of(workspace);
        back.push_back(
            release(claim_scope::invited_email, invited_email_key(workspace, what.hashed_email), owner));
        for (auto const& token : tokens) back.push_back(release(claim_scope::invitation, token, owner));
    }
    return back;
}

std::string short_code_key(std::optional<domain_id> const& domain, std::string_view short_code) {
    std::string key = domain ? to_string(*domain) : std::string{};
    key += '/';
    key += short_code;
    return key;
}

std::vector<claim> claims_of(event const& happened, workspace::state const& before, email_hash const& hash) {
    return std::visit(changes_of{before, hash}, happened);
}

}  // namespace linkledger::domain
