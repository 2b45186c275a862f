#include "domain/link/link.h"

#include "domain/rules.h"

#include <string_view>
#include <utility>

namespace linkledger::domain::link {
namespace {

void apply(state& s, created const& e) {
    s.exists = true;
    s.link_id = e.link_id;
    s.workspace_id = e.workspace_id;
    s.user_id = e.user_id;
    s.domain_id = e.domain_id;
    s.url = e.url;
    s.short_code = e.short_code;
    s.title = e.title;
    s.description = e.description;
    s.favicon_url = e.favicon_url;
    s.og_image_url = e.og_image_url;
    s.tags = e.tags;
    s.has_password = e.has_password;
    if (e.personal) s.password_hash = e.personal->password_hash;
    s.expires_at = e.expires_at;
    s.max_clicks = e.max_clicks;
    s.utm_source = e.utm_source;
    s.utm_medium = e.utm_medium;
    s.utm_campaign = e.utm_campaign;
    s.utm_term = e.utm_term;
    s.utm_content = e.utm_content;
}

template <typename T>
void take(T& field, std::optional<T> const& change) {
    if (change) field = *change;
}

void apply(state& s, updated const& e) {
    changes const& after = e.after;
    take(s.url, after.url);
    take(s.short_code, after.short_code);
    take(s.title, after.title);
    take(s.description, after.description);
    take(s.favicon_url, after.favicon_url);
    take(s.og_image_url, after.og_image_url);
    take(s.tags, after.tags);
    if (after.has_password) {
        s.has_password = *after.has_password;
        s.password_hash = e.personal ? e.personal->password_hash : std::nullopt;
    }
    take(s.expires_at, after.expires_at);
    take(s.max_clicks, after.max_clicks);
    take(s.utm_source, after.utm_source);
    take(s.utm_medium, after.utm_medium);
    take(s.utm_campaign, after.utm_campaign);
    take(s.utm_term, after.utm_term);
    take(s.utm_content, after.utm_content);
}
void apply(state& s, disabled const&) {
    s.is_active = false;
}
void apply(state& s, enabled const&) {
    s.is_active = true;
}
void apply(state& s, deleted const&) {
    s.is_deleted = true;
}
void apply(state& s, restored const&) {
    s.is_deleted = false;
}
template <typename Other>
void apply(state&, Other const&) {}

/// Every command on an existing link begins with this. Reading the link's state needs a role already, so that
/// outsiders learn nothing.
std::optional<refusal> refuse_unless_editor(state const& s, standing const& by) {
    if (!s.exists) return refusal{refusal_code::not_found, "There is no such link."};
    return refuse_below(by, role::member, "link");
}

refusal link_is_deleted() {
    return {refusal_code::link_deleted, "The link is deleted; restore it first."};
}

std::string checked_url(rules::findings& found, std::string field, std::string_view text,
                        std::string_view own_host) {
    return found.keep(std::move(field), rules::url(text, own_host));
}

/// The rule for pictures, which may well be the service's own.
rules::checked<std::string> picture_url(std::string_view text) {
    return rules::url(text);
}

/// Collects the differences between a link and the wanted values into what the event says of them.
class difference {
public:
    difference(state const& current, update_link const& command) : s_(current), c_(command) {}

    void compare();
    [[nodiscard]] rules::findings const& found() const { return found_; }
    [[nodiscard]] updated to_event() && {
        return {s_.link_id, s_.domain_id, std::move(before_), std::move(after_), std::move(secret_)};
    }

private:
    template <typename Field, typename T>
    void note(Field changes::*field, T const& present, T wanted) {
        if (present == wanted) return;
        before_.*field = present;
        after_.*field = std::move(wanted);
    }
    /// A text that may be cleared.
    template <typename Rule>
    void text(std::string name, std::optional<std::optional<std::string>> changes::*field,
              std::optional<std::string> const& present,
              std::optional<std::optional<std::string>> const& wanted, Rule const& rule) {
        if (wanted) note(field, present, found_.keep_text(std::move(name), *wanted, rule));
    }
    void password();
    void limits();

    state const& s_;
    update_link const& c_;
    rules::findings found_;
    changes before_;
    changes after_;
    std::optional<secret> secret_;
};

void difference::compare() {
    if (c_.url) note(&changes::url, s_.url, checked_url(found_, "url", *c_.url, c_.own_host));
    // The code that a link has already was accepted once, whatever words have been reserved since.
    if (c_.short_code && *c_.short_code != s_.short_code) {
        note(&changes::short_code, s_.short_code,
             found_.keep("short_code", rules::short_code(*c_.short_code)));
    }
    text("title", &changes::title, s_.title, c_.title, rules::title);
    text("description", &changes::description, s_.description, c_.description, rules::description);
    text("favicon_url", &changes::favicon_url, s_.favicon_url, c_.favicon_url, picture_url);
    text("og_image_url", &changes::og_image_url, s_.og_image_url, c_.og_image_url, picture_url);
    if (c_.tags) note(&changes::tags, s_.tags, found_.keep_tags(*c_.tags));
    password();
    limits();
    text("utm_source", &changes::utm_source, s_.utm_source, c_.utm_source, rules::utm);
    text("utm_medium", &changes::utm_medium, s_.utm_medium, c_.utm_medium, rules::utm);
    text("utm_campaign", &changes::utm_campaign, s_.utm_campaign, c_.utm_campaign, rules::utm);
    text("utm_term", &changes::utm_term, s_.utm_term, c_.utm_term, rules::utm);
    text("utm_content", &changes::utm_content, s_.utm_content, c_.utm_content, rules::utm);
}

void difference::password() {
    if (!c_.password_hash) return;
    bool const wanted = c_.password_hash->has_value();
    if (!wanted && !s_.has_password) return;
    before_.has_password = s_.has_password;
    after_.has_password = wanted;
    secret_ = secret{*c_.password_hash};
}

void difference::limits() {
    if (c_.expires_at && *c_.expires_at != s_.expires_at) {
        std::optional<timestamp> wanted;
        if (*c_.expires_at) wanted = found_.keep("expires_at", rules::expires_at(**c_.expires_at, c_.now));
        note(&changes::expires_at, s_.expires_at, wanted);
    }
    if (c_.max_clicks) {
        std::optional<std::int64_t> wanted;
        if (*c_.max_clicks) wanted = found_.keep("max_clicks", rules::max_clicks(**c_.max_clicks));
        note(&changes::max_clicks, s_.max_clicks, wanted);
    }
}

}  // namespace

state evolve(state current, event const& happened) {
    std::visit([&](auto const& e) { apply(current, e); }, happened);
    return current;
}

decision decide(state const& current, create_link const& command) {
    if (current.exists) return nothing_happens();
    if (auto no = refuse_below(command.by, role::member, "workspace")) return *no;
    rules::findings found;
    created e;
    e.link_id = command.link_id;
    e.workspace_id = command.workspace_id;
    e.user_id = command.by.user_id;
    e.url = checked_url(found, "url", command.url, command.own_host);
    e.short_code = found.keep("short_code", rules::short_code(command.short_code));
    e.title = found.keep_text("title", command.title, rules::title);
    e.description = found.keep_text("description", command.description, rules::description);
    e.favicon_url = found.keep_text("favicon_url", command.favicon_url, picture_url);
    e.og_image_url = found.keep_text("og_image_url", command.og_image_url, picture_url);
    e.tags = found.keep_tags(command.tags);
    e.has_password = command.password_hash.has_value();
    if (command.password_hash) e.personal = secret{command.password_hash};
    if (command.expires_at) {
        e.expires_at = found.keep("expires_at", rules::expires_at(*command.expires_at, command.now));
    }
    if (command.max_clicks) e.max_clicks = found.keep("max_clicks", rules::max_clicks(*command.max_clicks));
    e.utm_source = found.keep_text("utm_source", command.utm_source, rules::utm);
    e.utm_medium = found.keep_text("utm_medium", command.utm_medium, rules::utm);
    e.utm_campaign = found.keep_text("utm_campaign", command.utm_campaign, rules::utm);
    e.utm_term = found.keep_text("utm_term", command.utm_term, rules::utm);
    e.utm_content = found.keep_text("utm_content", command.utm_content, rules::utm);
    if (found.any()) return found.to_refusal();
    return happens(std::move(e));
}

decision decide(state const& current, update_link const& command) {
    if (auto no = refuse_unless_editor(current, command.by)) return *no;
    if (current.is_deleted) return link_is_deleted();
    difference differs{current, command};
    differs.compare();
    if (differs.found().any()) return differs.found().to_refusal();
    updated e = std::move(differs).to_event();
    if (e.after == changes{}) return nothing_happens();
    return happens(std::move(e));
}

decision decide(state const& current, disable_link const& command) {
    if (auto no = refuse_unless_editor(current, command.by)) return *no;
    if (current.is_deleted) return link_is_deleted();
    if (!current.is_active) return nothing_happens();
    return happens(disabled{current.link_id});
}

decision decide(state const& current, enable_link const& command) {
    if (auto no = refuse_unless_editor(current, command.by)) return *no;
    if (current.is_deleted) return link_is_deleted();
    if (current.is_active) return nothing_happens();
    return happens(enabled{current.link_id});
}

decision decide(state const& current, delete_link const& command) {
    if (auto no = refuse_unless_editor(current, command.by)) return *no;
    if (current.is_deleted) return nothing_happens();
    return happens(deleted{current.link_id, current.domain_id, current.short_code});
}

decision decide(state const& current, restore_link const& command) {
    if (auto no = refuse_unless_editor(current, command.by)) return *no;
    if (!current.is_deleted) return nothing_happens();
    return happens(restored{current.link_id, current.domain_id, current.short_code});
}

}  // namespace linkledger::domain::link
