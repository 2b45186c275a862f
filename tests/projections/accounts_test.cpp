// Users, workspaces, members, invitations and keys: events in, rows out.

#include "projections/accounts/accounts_queries.h"

#include "domain/streams.h"
#include "tests/projections/read_models.h"

namespace linkledger::projections::accounts {
namespace {

using domain::role;
using test::told;
using testing::ElementsAre;
namespace ws = domain::workspace;

class Accounts : public test::on_both_databases {
protected:
    domain::user_id const owner_{story().id()};
    domain::workspace_id const workspace_{story().id()};

    void SetUp() override {
        register_user(owner_, "Root", std::nullopt);
        create(workspace_, "Acme", "acme", owner_);
    }
    void register_user(domain::user_id const& id, std::string const& name,
                       std::optional<std::string> const& email) {
        story().tell(domain::stream_of(id),
                     domain::user::registered{id, domain::user::registered_personal{email, name}}, {},
                     "person-" + name);
    }
    void create(domain::workspace_id const& id, std::string const& name, std::string const& slug,
                domain::user_id const& owner) {
        story().tell(domain::stream_of(id), ws::created{id, name, slug, owner, "free"});
    }
    domain::invitation_id invite(std::string const& name, role as) {
        domain::invitation_id const id{story().id()};
        story().tell(
            domain::stream_of(workspace_),
            ws::invited{workspace_, id, as, owner_, "hash-" + name, story().now() + std::chrono::hours{72},
                        ws::invited_personal{name + "@example.com"}},
            {}, "person-" + name);
        return id;
    }
    domain::user_id join(std::string const& name, role as) {
        auto const invitation = invite(name, as);
        domain::user_id const user{story().id()};
        register_user(user, name, name + "@example.com");
        rejoin(user, invitation, as);
        return user;
    }
    void rejoin(domain::user_id const& user, domain::invitation_id const& invitation, role as) {
        story().tell(domain::stream_of(workspace_), ws::joined{workspace_, user, invitation, as, owner_});
    }
    page_of<member_row> members(member_list_query query = {}) {
        query.workspace_id = workspace_;
        return models_.read("accounts", [&](sql::connection& rows) { return list_members(rows, query); });
    }
    page_of<invitation_row> invitations(bool open_only = false) {
        invitation_list_query query;
        query.workspace_id = workspace_;
        query.open_only = open_only;
        return models_.read("accounts", [&](sql::connection& rows) { return list_invitations(rows, query); });
    }
    page_of<workspace_row> workspaces(workspace_list_query const& query) {
        return models_.read("accounts", [&](sql::connection& rows) { return list_workspaces(rows, query); });
    }
    std::vector<std::string> names(member_list_query const& query) {
        std::vector<std::string> found;
        for (auto const& member : members(query).items) found.push_back(member.name.value_or("-"));
        return found;
    }
};
LINKLEDGER_ON_BOTH_DATABASES(Accounts);

TEST_P(Accounts, MakeTheCreatorOfAWorkspaceItsOwner) {
    catch_up_all();
    auto const page = members();
    ASSERT_EQ(page.items.size(), 1u);
    EXPECT_EQ(page.items[0].user_id, owner_);
    EXPECT_EQ(page.items[0].role, role::owner);
    EXPECT_EQ(page.items[0].name, "Root");
    EXPECT_EQ(page.items[0].email, std::nullopt);
    EXPECT_EQ(page.items[0].invited_by, std::nullopt);
}

TEST_P(Accounts, FollowAMemberFromInvitationToRemoval) {
    auto const ada = join("ada", role::member);
    catch_up_all();
    ASSERT_EQ(members().total_count, 2);
    EXPECT_EQ(members().items[1].email, "ada@example.com");
    EXPECT_EQ(members().items[1].invited_by, owner_);
    EXPECT_TRUE(invitations().items.at(0).accepted_at);
    EXPECT_EQ(invitations(true).total_count, 0);

    story().tell(domain::stream_of(workspace_), ws::role_changed{workspace_, ada, role::member, role::admin});
    catch_up_all();
    EXPECT_EQ(members().items[1].role, role::admin);
    EXPECT_GT(members().items[1].updated_at, members().items[1].created_at);

    story().tell(domain::stream_of(workspace_), ws::member_removed{workspace_, ada, role::admin});
    catch_up_all();
    EXPECT_EQ(members().total_count, 1);

    // Within one batch: back, promoted, gone, back.
    rejoin(ada, invite("ada", role::viewer), role::viewer);
    story().tell(domain::stream_of(workspace_), ws::role_changed{workspace_, ada, role::viewer, role::owner});
    story().tell(domain::stream_of(workspace_), ws::member_removed{workspace_, ada, role::owner});
    rejoin(ada, invite("ada", role::viewer), role::viewer);
    catch_up_all();
    ASSERT_EQ(members().total_count, 2);
    EXPECT_EQ(members().items[1].role, role::viewer);
}

TEST_P(Accounts, ListInvitationsWithWhatBecameOfThem) {
    auto const kept = invite("kept", role::viewer);
    auto const revoked = invite("revoked", role::admin);
    story().tell(domain::stream_of(workspace_), ws::invitation_revoked{workspace_, revoked});
    catch_up_all();
    auto const all = invitations();
    ASSERT_EQ(all.total_count, 2);
    EXPECT_EQ(all.items[0].id, revoked);
    EXPECT_TRUE(all.items[0].revoked_at);
    EXPECT_EQ(all.items[1].email, "kept@example.com");
    auto const open = invitations(true);
    ASSERT_EQ(open.total_count, 1);
    EXPECT_EQ(open.items[0].id, kept);
}

TEST_P(Accounts, ListTheWorkspacesOfAUser) {
    auto const ada = join("ada", role::admin);
    domain::workspace_id const other{story().id()};
    create(other, "Beta", "beta", ada);
    story().tell(domain::stream_of(other), ws::renamed{other, "Beta", "Zeta"});
    catch_up_all();

    workspace_list_query query;
    EXPECT_EQ(workspaces(query).total_count, 2);
    query.member = ada;
    query.sort = workspace_sort::name;
    query.order = sort_order::asc;
    auto const page = workspaces(query);
    ASSERT_EQ(page.total_count, 2);
    EXPECT_EQ(page.items[0].name, "Acme");
    EXPECT_EQ(page.items[0].role, role::admin);
    EXPECT_EQ(page.items[0].member_count, 2);
    EXPECT_EQ(page.items[1].name, "Zeta");
    EXPECT_EQ(page.items[1].role, role::owner);
    query.member = owner_;
    EXPECT_EQ(workspaces(query).total_count, 1);
    query.only = other;
    EXPECT_EQ(workspaces(query).total_count, 0);

    auto const get = [&](domain::workspace_id const& id) {
        return models_.read("accounts", [&](sql::connection& rows) { return get_workspace(rows, id, ada); });
    };
    EXPECT_EQ(get(workspace_)->slug, "acme");
    EXPECT_EQ(get(workspace_)->role, role::admin);
    EXPECT_EQ(get({story().id()}), std::nullopt);
    EXPECT_EQ(
        models_.read("accounts", [&](sql::connection& rows) { return workspaces_of(rows, ada); }).size(), 2u);
}

TEST_P(Accounts, SortAndSearchMembers) {
    join("Zoë", role::viewer);
    join("ärmel", role::admin);
    catch_up_all();
    member_list_query query;
    EXPECT_THAT(names(query), ElementsAre("Root", "Zoë", "ärmel"));
    query.sort = member_sort::role;
    query.order = sort_order::desc;
    EXPECT_THAT(names(query), ElementsAre("Root", "ärmel", "Zoë"));
    query.sort = member_sort::email;
    query.order = sort_order::asc;
    EXPECT_THAT(names(query), ElementsAre("Root", "Zoë", "ärmel"));
    query.sort = member_sort::name;
    EXPECT_THAT(names(query), ElementsAre("Root", "Zoë", "ärmel"));
    query.search = "ÄRM";
    EXPECT_THAT(names(query), ElementsAre("ärmel"));
    query.search = "ZOË@EXAMPLE";
    EXPECT_THAT(names(query), ElementsAre("Zoë"));
}

TEST_P(Accounts, StayWithoutNameAndAddressOfAnErasedPerson) {
    join("ada", role::viewer);
    story().erase("person-ada");
    catch_up_all();
    auto const page = members();
    ASSERT_EQ(page.total_count, 2);
    EXPECT_EQ(page.items[1].name, std::nullopt);
    EXPECT_EQ(page.items[1].email, std::nullopt);
    EXPECT_EQ(invitations().items.at(0).email, std::nullopt);
}

TEST_P(Accounts, KeepKeysUntilTheyAreRevoked) {
    domain::api_key_id const id{story().id()};
    domain::api_key::issued issued;
    issued.api_key_id = id;
    issued.user_id = owner_;
    issued.name = "ci";
    issued.prefix = "ll_abcdefghi";
    issued.key_hash = "00ff";
    issued.scopes = {domain::scope::read, domain::scope::audit};
    story().tell(domain::stream_of(id), issued);
    catch_up_all();
    auto const key_row = [&] {
        return models_.read("accounts", [&](sql::connection& rows) {
            return rows.query_one("SELECT scopes, revoked_at, key_prefix FROM api_keys_v1 WHERE id = $1",
                                  {id.value}, [](sql::row const& r) {
                                      return std::tuple{r.text(0), r.time_or_null(1), r.text(2)};
                                  });
        });
    };
    EXPECT_THAT(std::get<0>(*key_row()), testing::HasSubstr("audit"));
    EXPECT_EQ(std::get<1>(*key_row()), std::nullopt);
    story().tell(domain::stream_of(id), domain::api_key::revoked{id, {}, issued.prefix});
    catch_up_all();
    EXPECT_TRUE(std::get<1>(*key_row()));
}

}  // namespace
}  // namespace linkledger::projections::accounts
