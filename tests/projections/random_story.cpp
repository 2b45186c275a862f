// Workspaces, members, links, clicks and keys that come, change and go.

#include "tests/projections/random_story.h"

#include "domain/streams.h"

#include <algorithm>
#include <functional>
#include <random>
#include <set>

namespace linkledger::test {

namespace {

namespace ws = domain::workspace;
using domain::role;

class storyteller {
public:
    storyteller(history& story, std::uint32_t seed) : story_(story), random_(seed) {
        user_ = {story_.id()};
        story_.tell(domain::stream_of(user_),
                    domain::user::registered{user_, domain::user::registered_personal{std::nullopt, "Root"}});
        workspace_ = {story_.id()};
        tell_workspace(ws::created{workspace_, "Acme", "acme", user_, "free"});
    }

    void step() {
        switch (pick(14)) {
            case 0:
                return create_link();
            case 1:
            case 2:
                return update_link();
            case 3:
                return delete_or_restore();
            case 4:
                return enable_or_disable();
            case 5:
                return join();
            case 6:
                return change_member();
            case 7:
                return issue_or_revoke();
            default:
                return click();
        }
    }

private:
    struct link {
        domain::link_id id;
        std::string code;
        bool deleted = false;
        bool active = true;
    };

    int pick(int count) { return static_cast<int>(random_() % static_cast<unsigned>(count)); }
    std::string word() { return std::string(1, static_cast<char>('a' + pick(6))) + std::to_string(pick(9)); }
    told with() {
        told result;
        result.workspace = workspace_;
        result.actor = {eventlog::actor_kind::key, user_, std::nullopt};
        result.context = {"192.0.2.0", "agent"};
        return result;
    }
    void tell_workspace(domain::event const& event) {
        story_.tell(domain::stream_of(workspace_), event, with());
    }
    void tell_link(link const& which, domain::event const& event) {
        story_.tell(domain::stream_of(which.id), event, with());
    }
    std::vector<std::string> tags() {
        std::set<std::string> names;
        for (int i = pick(4); i > 0; --i) names.insert(word());
        return {names.begin(), names.end()};
    }
    std::optional<std::string> free_code() {
        auto code = word();
        bool const taken = std::any_of(links_.begin(), links_.end(),
                                       [&](link const& l) { return !l.deleted && l.code == code; });
        return taken ? std::nullopt : std::optional{code};
    }

    void create_link() {
        auto const code = free_code();
        if (!code) return;
        domain::link::created e;
        e.link_id = {story_.id()};
        e.workspace_id = workspace_;
        e.user_id = user_;
        e.url = "https://example.com/" + word();
        e.short_code = *code;
        e.tags = tags();
        if (pick(2) == 0) e.title = "Titel " + word();
        links_.push_back({e.link_id, *code});
        tell_link(links_.back(), e);
    }
    void update_link() {
        if (links_.empty()) return create_link();
        auto& which = links_[static_cast<std::size_t>(pick(static_cast<int>(links_.size())))];
        if (which.deleted) return;
        domain::link::updated e;
        e.link_id = which.id;
        if (auto const code = free_code(); code && pick(2) == 0) e.after.short_code = which.code = *code;
        if (pick(2) == 0) e.after.tags = tags();
        if (pick(2) == 0) e.after.title.emplace(pick(2) == 0 ? std::nullopt : std::optional{word()});
        if (pick(3) == 0) e.after.max_clicks.emplace(pick(100));
        tell_link(which, e);
    }
    void delete_or_restore() {
        if (links_.empty()) return;
        auto& which = links_[static_cast<std::size_t>(pick(static_cast<int>(links_.size())))];
        if (!which.deleted) {
            tell_link(which, domain::link::deleted{which.id, {}, which.code});
            which.deleted = true;
            return;
        }
        bool const taken = std::any_of(links_.begin(), links_.end(),
                                       [&](link const& l) { return !l.deleted && l.code == which.code; });
        if (taken) return;
        tell_link(which, domain::link::restored{which.id, {}, which.code});
        which.deleted = false;
    }
    void enable_or_disable() {
        if (links_.empty()) return;
        auto& which = links_[static_cast<std::size_t>(pick(static_cast<int>(links_.size())))];
        which.active = !which.active;
        if (which.active)
            tell_link(which, domain::link::enabled{which.id});
        else
            tell_link(which, domain::link::disabled{which.id});
    }
    void click() {
        if (links_.empty()) return;
        auto const& which = links_[static_cast<std::size_t>(pick(static_cast<int>(links_.size())))];
        domain::click::clicked e;
        e.link_id = which.id;
        e.short_code = which.code;
        e.is_bot = pick(8) == 0;
        e.country_code = pick(2) == 0 ? "AT" : "DE";
        auto how = with();
        how.at = story_.now() - std::chrono::hours{24 * pick(7)};
        // A visitor has another hash on another day.
        auto const visitor = domain::to_utc_day(*how.at) + " visitor" + std::to_string(pick(20));
        e.personal = domain::click::clicked_personal{visitor, {}, "agent", {}};
        story_.tell(e.is_bot ? domain::bots_stream_of(which.id) : domain::clicks_stream_of(which.id), e, how,
                    "day");
    }
    void join() {
        domain::invitation_id const invitation{story_.id()};
        auto const name = "user" + std::to_string(++names_);
        auto const as = static_cast<role>(pick(4));
        tell_workspace(ws::invited{workspace_, invitation, as, user_, "hash",
                                   story_.now() + std::chrono::hours{72},
                                   ws::invited_personal{name + "@example.com"}});
        if (pick(4) == 0) return tell_workspace(ws::invitation_revoked{workspace_, invitation});
        domain::user_id joining{story_.id()};
        if (!gone_.empty() && pick(2) == 0) {
            joining = gone_.back();
            gone_.pop_back();
        } else {
            story_.tell(domain::stream_of(joining),
                        domain::user::registered{
                            joining, domain::user::registered_personal{name + "@example.com", name}});
        }
        tell_workspace(ws::joined{workspace_, joining, invitation, as, user_});
        members_.push_back(joining);
    }
    void change_member() {
        if (members_.empty()) return;
        auto const which = members_.back();
        if (pick(2) == 0)
            return tell_workspace(
                ws::role_changed{workspace_, which, role::viewer, static_cast<role>(pick(4))});
        tell_workspace(ws::member_removed{workspace_, which, role::viewer});
        members_.pop_back();
        gone_.push_back(which);
    }
    void issue_or_revoke() {
        if (!keys_.empty() && pick(2) == 0) {
            story_.tell(domain::stream_of(keys_.back()),
                        domain::api_key::revoked{keys_.back(), workspace_, "ll_prefix"}, with());
            keys_.pop_back();
            return;
        }
        domain::api_key::issued e;
        e.api_key_id = {story_.id()};
        e.user_id = user_;
        e.name = word();
        e.prefix = "ll_prefix";
        e.scopes = {domain::scope::read, domain::scope::write};
        keys_.push_back(e.api_key_id);
        story_.tell(domain::stream_of(e.api_key_id), e, with());
    }

    history& story_;
    std::mt19937 random_;
    domain::user_id user_;
    domain::workspace_id workspace_;
    std::vector<link> links_;
    std::vector<domain::user_id> members_, gone_;
    std::vector<domain::api_key_id> keys_;
    int names_ = 0;
};

}  // namespace

void tell_random_story(history& story, std::uint32_t seed, int events) {
    storyteller teller{story, seed};
    for (int i = 0; i < events; ++i) teller.step();
}

}  // namespace linkledger::test
