// The audit log: who did what, when, with old and new values.

#include "projections/audit_logs/audit_logs_queries.h"

#include "domain/streams.h"
#include "tests/projections/read_models.h"

#include <boost/json/serialize.hpp>

namespace linkledger::projections::audit_logs {
namespace {

using test::told;
namespace ws = domain::workspace;

class AuditLogs : public test::on_both_databases {
protected:
    domain::workspace_id const workspace_{story().id()};
    domain::user_id const user_{story().id()};

    told by_user() const {
        told with;
        with.workspace = workspace_;
        with.actor = {eventlog::actor_kind::key, user_, std::nullopt};
        with.context = {"192.0.2.0", "curl/8"};
        return with;
    }
    page_of<audit_row> list(audit_list_query query = {}) {
        query.workspace_id = workspace_;
        return models_.read("audit_logs",
                            [&](sql::connection& rows) { return list_audit_logs(rows, query); });
    }
};
LINKLEDGER_ON_BOTH_DATABASES(AuditLogs);

TEST_P(AuditLogs, TellWhoChangedWhatFromWhere) {
    domain::link_id const link{story().id()};
    domain::link::updated e;
    e.link_id = link;
    e.before.title.emplace(std::nullopt);
    e.before.url = "https://old.example/";
    e.after.title.emplace("Titel");
    e.after.url = "https://new.example/";
    e.personal = domain::link::secret{"$argon2id$hash"};
    story().tell(domain::stream_of(link), e, by_user());
    catch_up_all();
    auto const page = list();
    ASSERT_EQ(page.total_count, 1);
    auto const& row = page.items.at(0);
    EXPECT_EQ(row.action, "link.updated");
    EXPECT_EQ(row.user_id, user_);
    EXPECT_EQ(row.workspace_id, workspace_);
    EXPECT_EQ(row.resource_type, "link");
    EXPECT_EQ(row.resource_id, link.value);
    EXPECT_EQ(row.old_values, (boost::json::value{{"title", nullptr}, {"url", "https://old.example/"}}));
    EXPECT_EQ(row.new_values, (boost::json::value{{"title", "Titel"}, {"url", "https://new.example/"}}));
    EXPECT_EQ(row.ip_address, "192.0.2.0");
    EXPECT_EQ(row.user_agent, "curl/8");
    EXPECT_EQ(row.metadata.at("command"), "Test");
}

TEST_P(AuditLogs, HoldEveryEventButClicks) {
    auto const& with = by_user();
    auto const stream = domain::stream_of(workspace_);
    domain::invitation_id const invitation{story().id()};
    domain::link_id const link{story().id()};
    domain::api_key_id const key{story().id()};
    story().tell(stream, ws::created{workspace_, "Acme", "acme", user_, "free"}, with);
    story().tell(stream, ws::renamed{workspace_, "Acme", "Acme 2"}, with);
    story().tell(stream,
                 ws::invited{workspace_, invitation, domain::role::admin, user_, "TOKENHASH", story().now(),
                             ws::invited_personal{"ada@example.com"}},
                 with);
    story().tell(stream, ws::joined{workspace_, user_, invitation, domain::role::admin, user_}, with);
    story().tell(stream, ws::invitation_revoked{workspace_, invitation}, with);
    story().tell(stream, ws::role_changed{workspace_, user_, domain::role::admin, domain::role::viewer},
                 with);
    story().tell(stream, ws::member_removed{workspace_, user_, domain::role::viewer}, with);
    story().tell(domain::stream_of(user_),
                 domain::user::registered{user_, domain::user::registered_personal{"ada@example.com", "Ada"}},
                 with);
    domain::api_key::issued issued;
    issued.api_key_id = key;
    issued.prefix = "ll_abc";
    issued.key_hash = "KEYHASH";
    issued.scopes = {domain::scope::read};
    story().tell(domain::stream_of(key), issued, with);
    story().tell(domain::stream_of(key), domain::api_key::revoked{key, workspace_, "ll_abc"}, with);
    domain::link::created created;
    created.link_id = link;
    created.workspace_id = workspace_;
    created.short_code = "abc";
    created.url = "https://example.com/";
    created.personal = domain::link::secret{"PASSWORDHASH"};
    story().tell(domain::stream_of(link), created, with);
    story().tell(domain::stream_of(link), domain::link::disabled{link}, with);
    story().tell(domain::stream_of(link), domain::link::enabled{link}, with);
    story().tell(domain::stream_of(link), domain::link::deleted{link, {}, "abc"}, with);
    story().tell(domain::stream_of(link), domain::link::restored{link, {}, "abc"}, with);
    domain::click::clicked click;
    click.link_id = link;
    story().tell(domain::clicks_stream_of(link), click, with);
    catch_up_all();

    audit_list_query query;
    query.order = sort_order::asc;
    auto const page = list(query);
    EXPECT_EQ(page.total_count, 15);
    std::string all;
    for (auto const& row : page.items) {
        all += row.action + " " + row.resource_type + " " + boost::json::serialize(row.old_values) + " " +
               boost::json::serialize(row.new_values) + "\n";
    }
    EXPECT_THAT(all, testing::HasSubstr(R"(workspace.renamed workspace {"name":"Acme"} {"name":"Acme 2"})"));
    EXPECT_THAT(all, testing::HasSubstr(R"(member.role_changed member {"role":"admin"} {"role":"viewer"})"));
    EXPECT_THAT(all, testing::HasSubstr("ada@example.com"));
    EXPECT_THAT(all, testing::HasSubstr(R"(link.disabled link {"is_active":true} {"is_active":false})"));
    EXPECT_THAT(all, testing::Not(testing::HasSubstr("HASH")));
}

TEST_P(AuditLogs, AreFilteredByEverything) {
    domain::user_id const other{story().id()};
    std::vector<domain::link_id> links;
    for (int i = 0; i < 4; ++i) {
        links.push_back({story().id()});
        auto with = by_user();
        if (i % 2 == 1) with.actor.user_id = other;
        story().tell(domain::stream_of(links.back()), domain::link::disabled{links.back()}, with);
    }
    story().tell(domain::stream_of(workspace_), ws::renamed{workspace_, "a", "b"}, by_user());
    auto foreign = by_user();
    foreign.workspace = {story().id()};
    story().tell("workspace-x", ws::renamed{foreign.workspace, "a", "b"}, foreign);
    catch_up_all();
    auto const count = [&](auto const& narrow) {
        audit_list_query query;
        narrow(query);
        return list(query).total_count;
    };
    EXPECT_EQ(count([](auto&) {}), 5);
    EXPECT_EQ(count([](auto& q) { q.action = "link.disabled"; }), 4);
    EXPECT_EQ(count([&](auto& q) { q.user_id = other; }), 2);
    EXPECT_EQ(count([](auto& q) { q.resource_type = "workspace"; }), 1);
    EXPECT_EQ(count([&](auto& q) { q.resource_id = links[2].value; }), 1);
    auto const third = list().items.at(2).created_at;
    EXPECT_EQ(count([&](auto& q) { q.from = third; }) + count([&](auto& q) { q.to = third; }), 5);
    audit_list_query everywhere;
    EXPECT_EQ(
        models_.read("audit_logs", [&](sql::connection& rows) { return list_audit_logs(rows, everywhere); })
            .total_count,
        6);
    audit_list_query paged;
    paged.page.per_page = 2;
    auto const first = list(paged);
    ASSERT_TRUE(first.cursor);
    paged.page.cursor = first.cursor;
    EXPECT_LE(list(paged).items.at(0).created_at, first.items.at(1).created_at);
    EXPECT_NE(list(paged).items.at(0).id, first.items.at(1).id);
}

TEST_P(AuditLogs, StayWithoutThePersonalPartsOfAnErasedPerson) {
    story().tell(domain::stream_of(user_),
                 domain::user::registered{user_, domain::user::registered_personal{"ada@example.com", "Ada"}},
                 by_user(), "person-ada");
    story().erase("person-ada");
    catch_up_all();
    auto const row = list().items.at(0);
    EXPECT_EQ(row.user_id, user_);
    EXPECT_EQ(row.new_values, (boost::json::value{{"name", nullptr}, {"email", nullptr}}));
    EXPECT_EQ(row.ip_address, std::nullopt);
    EXPECT_EQ(row.user_agent, std::nullopt);
}

}  // namespace
}  // namespace linkledger::projections::audit_logs
