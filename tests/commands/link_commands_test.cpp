#include "tests/commands/bus_fixture.h"

#include "domain/rules.h"
#include "eventlog/crypto.h"

#include <gmock/gmock.h>

namespace linkledger::commands::testing {
namespace {

using domain::refusal_code;
using object_t = boost::json::object;

class LinkCommands : public BusTest {};

}  // namespace

TEST_P(LinkCommands, CreateOneAndAnswerWithWhatAClientNeedsNext) {
    auto const workspace = make_workspace();
    auto const answer = make_link(workspace, "spring", admin);
    EXPECT_EQ(answer.stream, "link-" + field(answer, "link_id"));
    EXPECT_EQ(answer.version, 1);
    EXPECT_EQ(answer.position, head());
    EXPECT_EQ(answer.events, std::vector<std::string>{"link.created"});
    EXPECT_EQ(field(answer, "short_code"), "spring");
    EXPECT_EQ(field(answer, "short_url"), "https://ll.example/spring");
}

TEST_P(LinkCommands, GenerateACodeOfSevenCharacters) {
    auto const workspace = make_workspace();
    auto const data = object({{"workspace_id", workspace}, {"url", "https://example.com/"}});
    auto const first = field(here.accept("CreateLink", data, admin), "short_code");
    auto const second = field(here.accept("CreateLink", data, admin), "short_code");
    EXPECT_EQ(first.size(), 7u);
    EXPECT_NE(first, second);
    EXPECT_EQ(first.find_first_of("0OIl"), std::string::npos);
}

TEST_P(LinkCommands, RefuseATakenCodeAndNameTheField) {
    auto const workspace = make_workspace();
    make_link(workspace, "spring", admin);
    auto const before = head();
    auto const outcome = here.execute(
        "CreateLink",
        object({{"workspace_id", workspace}, {"url", "https://example.com/"}, {"short_code", "spring"}}),
        admin);
    EXPECT_EQ(refused(outcome), refusal_code::short_code_taken);
    EXPECT_EQ(std::get<domain::refusal>(outcome).fields.at(0).field, "short_code");
    EXPECT_EQ(head(), before);
}

TEST_P(LinkCommands, RefuseUnknownFieldsByNameAndListEveryError) {
    auto const workspace = make_workspace();
    auto const outcome = here.execute(
        "CreateLink",
        object({{"workspace_id", workspace}, {"url", 5}, {"colour", "red"}, {"max_clicks", "x"}}), admin);
    EXPECT_EQ(refused(outcome), refusal_code::invalid_input);
    std::vector<std::string> fields;
    for (auto const& error : std::get<domain::refusal>(outcome).fields) fields.push_back(error.field);
    EXPECT_THAT(fields, ::testing::UnorderedElementsAre("url", "colour", "max_clicks"));
}

TEST_P(LinkCommands, RefuseWhatIsNoJson) {
    for (auto const* data : {"", "nonsense", "[]", "null", "{", "{\"url\":\"a\",\"url\":\"b\"}", "\"x\""}) {
        EXPECT_EQ(refused(here.execute("CreateLink", data, admin)), refusal_code::invalid_input) << data;
    }
    EXPECT_EQ(refused(here.execute("CreateUnicorn", "{}", admin)), refusal_code::not_found);
}

TEST_P(LinkCommands, NeedTheRoleAndTheScope) {
    auto const workspace = make_workspace();
    auto const viewer = make_member(workspace, "viewer@example.com", "viewer");
    auto member = make_member(workspace, "member@example.com", "member");
    auto const data = object({{"workspace_id", workspace}, {"url", "https://example.com/"}});
    EXPECT_EQ(refused(here.execute("CreateLink", data, viewer)), refusal_code::forbidden);
    here.accept("CreateLink", data, member);

    auto const other = make_workspace("other");
    auto const elsewhere = object({{"workspace_id", other}, {"url", "https://example.com/"}});
    EXPECT_EQ(refused(here.execute("CreateLink", elsewhere, member)), refusal_code::not_found);

    member.caller->scopes = {domain::scope::read};
    EXPECT_EQ(refused(here.execute("CreateLink", data, member)), refusal_code::forbidden);
    EXPECT_EQ(refused(here.execute("CreateLink", data, sender{})), refusal_code::unauthenticated);
}

TEST_P(LinkCommands, UpdateTheNamedFieldsAndClearWithNull) {
    auto const workspace = make_workspace();
    auto const link = field(make_link(workspace, "spring", admin), "link_id");
    auto const answer = here.accept(
        "UpdateLink", object({{"link_id", link}, {"title", "New"}, {"short_code", "summer"}}), admin);
    EXPECT_EQ(answer.version, 2);
    EXPECT_EQ(field(answer, "short_code"), "summer");
    auto const cleared = here.accept("UpdateLink", object({{"link_id", link}, {"title", nullptr}}), admin);
    EXPECT_EQ(cleared.version, 3);

    auto const updated = std::get<domain::link::updated>(all_events(*log, here.keys()).back());
    ASSERT_TRUE(updated.before.title && updated.after.title);
    EXPECT_EQ(*updated.before.title, "New");
    EXPECT_EQ(*updated.after.title, std::nullopt);
    EXPECT_FALSE(updated.after.url);

    auto const null_url = here.execute("UpdateLink", object({{"link_id", link}, {"url", nullptr}}), admin);
    EXPECT_EQ(refused(null_url), refusal_code::invalid_input);
    // The old code is free again.
    make_link(workspace, "spring", admin);
}

TEST_P(LinkCommands, AnswerWithTheHeadWhenNothingChanges) {
    auto const workspace = make_workspace();
    auto const link = field(make_link(workspace, "spring", admin), "link_id");
    auto const data = object({{"link_id", link}});
    EXPECT_EQ(here.accept("DisableLink", data, admin).events, std::vector<std::string>{"link.disabled"});
    make_link(workspace, "autumn", admin);
    auto const again = here.accept("DisableLink", data, admin);
    EXPECT_TRUE(again.events.empty());
    EXPECT_EQ(again.version, 2);
    EXPECT_EQ(again.position, head());
    EXPECT_EQ(again.stream, "link-" + link);
}

TEST_P(LinkCommands, DeleteAndRestoreTheCode) {
    auto const workspace = make_workspace();
    auto const first = field(make_link(workspace, "spring", admin), "link_id");
    here.accept("DeleteLink", object({{"link_id", first}}), admin);
    EXPECT_EQ(refused(here.execute("UpdateLink", object({{"link_id", first}, {"title", "x"}}), admin)),
              refusal_code::link_deleted);
    auto const second = field(make_link(workspace, "spring", admin), "link_id");
    EXPECT_EQ(refused(here.execute("RestoreLink", object({{"link_id", first}}), admin)),
              refusal_code::short_code_taken);
    here.accept("DeleteLink", object({{"link_id", second}}), admin);
    here.accept("RestoreLink", object({{"link_id", first}}), admin);
    EXPECT_EQ(log->claim_owner("short_code", "/spring").assume_value(), "link-" + first);
}

TEST_P(LinkCommands, CheckTheExpectedVersion) {
    auto const workspace = make_workspace();
    auto const link = field(make_link(workspace, "spring", admin), "link_id");
    command_request request{"DisableLink", object({{"link_id", link}}), std::nullopt, 5};
    EXPECT_EQ(refused(here.execute(request, admin)), refusal_code::version_conflict);
    request.if_match = 1;
    EXPECT_EQ(here.accept(request, admin).version, 2);
}

TEST_P(LinkCommands, KeepAPasswordSealedAndNoticeTheSameOne) {
    auto const workspace = make_workspace();
    auto const created = here.accept(
        "CreateLink",
        object({{"workspace_id", workspace}, {"url", "https://example.com/"}, {"password", "open sesame"}}),
        admin);
    auto const event = std::get<domain::link::created>(all_events(*log, here.keys()).back());
    ASSERT_TRUE(event.personal && event.personal->password_hash);
    EXPECT_TRUE(eventlog::verify_password(*event.personal->password_hash, "open sesame"));
    auto const stored = log->read_stream(created.stream, 0, 10).assume_value().front();
    EXPECT_EQ(stored.body.data.find("argon2"), std::string::npos);

    auto const link = field(created, "link_id");
    auto const same =
        here.accept("UpdateLink", object({{"link_id", link}, {"password", "open sesame"}}), admin);
    EXPECT_TRUE(same.events.empty());
    auto const other =
        here.accept("UpdateLink", object({{"link_id", link}, {"password", "abracadabra"}}), admin);
    EXPECT_EQ(other.version, 2);
    auto const cleared = here.accept("UpdateLink", object({{"link_id", link}, {"password", nullptr}}), admin);
    EXPECT_EQ(cleared.version, 3);
}

TEST_P(LinkCommands, AreRefusedForALinkToTheServiceItself) {
    auto const workspace = make_workspace();
    auto const outcome = here.execute(
        "CreateLink", object({{"workspace_id", workspace}, {"url", "https://LL.example/x"}}), admin);
    EXPECT_EQ(refused(outcome), refusal_code::invalid_input);
}

TEST_P(LinkCommands, StoreWhoDidItAndSealTheContext) {
    auto const workspace = make_workspace();
    admin.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    auto const created = make_link(workspace, "spring", admin);
    auto const stored = log->read_stream(created.stream, 0, 1).assume_value().front();
    auto const cause = eventlog::decode_metadata(stored.body.metadata).assume_value();
    EXPECT_EQ(cause.command, "CreateLink");
    EXPECT_EQ(cause.actor.user_id, admin.caller->user_id);
    EXPECT_EQ(cause.actor.api_key_id, admin.caller->api_key_id);
    EXPECT_EQ(cause.traceparent, admin.traceparent);
    EXPECT_EQ(domain::to_string(stored.body.workspace_id), workspace);
    auto const context = here.keys()
                             .open(stored.body.context, stored.body.event_id, eventlog::sealed_part::context)
                             .assume_value();
    ASSERT_TRUE(context);
    EXPECT_EQ(eventlog::decode_context(*context).assume_value().user_agent, "tests");
}

LINKLEDGER_ON_EACH_BACKEND(LinkCommands);

}  // namespace linkledger::commands::testing
