// Commands over HTTP: every one of them, in bulk, repeated, and sent by those who may not.

#include "tests/api/service.h"

#include <boost/json.hpp>

namespace linkledger::tests {
namespace {

using boost::json::array;
using boost::json::object;

class CommandEndpoint : public ServiceTest {
protected:
    /// Sends raw text as CreateLink's data.
    http_response raw(std::string const& body, http_headers const& headers = {}) {
        return admin.post("/v1/commands/CreateLink", body, headers);
    }
};

TEST_F(CommandEndpoint, AnswersWithPositionStreamVersionEventsAndResult) {
    auto const answer = done("CreateLink", {{"workspace_id", workspace_id}, {"url", "https://example.com/"}});
    EXPECT_EQ(answer.at("position").as_int64(), service_.head());
    EXPECT_EQ(answer.at("version").as_int64(), 1);
    EXPECT_EQ(answer.at("events"), (array{"link.created"}));
    auto const& result = answer.at("result");
    EXPECT_EQ(text(answer, "stream"), "link-" + text(result, "link_id"));
    EXPECT_EQ(text(result, "short_code").size(), 7u);
    EXPECT_EQ(text(result, "short_url"), "https://ll.example/" + text(result, "short_code"));
}

TEST_F(CommandEndpoint, CarriesOutEveryCommand) {
    done("RenameWorkspace", {{"workspace_id", workspace_id}, {"name", "Acme Ltd"}});
    auto const invited = done(
        "InviteMember", {{"workspace_id", workspace_id}, {"email", "ann@example.com"}, {"role", "member"}});
    EXPECT_EQ(invited.at("events"), (array{"user.invited"}));
    auto const& token = invited.at("result").at("token");
    auto const joined = parse(visitor.post(
        "/v1/commands/AcceptInvitation", boost::json::serialize(object{{"token", token}, {"name", "Ann"}})));
    auto const& user_id = joined.at("result").at("user_id");
    done("ChangeMemberRole", {{"workspace_id", workspace_id}, {"user_id", user_id}, {"role", "viewer"}});
    done("RemoveMember", {{"workspace_id", workspace_id}, {"user_id", user_id}});
    auto const other = done(
        "InviteMember", {{"workspace_id", workspace_id}, {"email", "bob@example.com"}, {"role", "viewer"}});
    done("RevokeInvitation",
         {{"workspace_id", workspace_id}, {"invitation_id", other.at("result").at("invitation_id")}});

    auto const link = make_link({{"short_code", "spring"}, {"tags", array{"sale"}}});
    object const id{{"link_id", link.at("link_id")}};
    auto changed = id;
    changed["title"] = "Spring sale";
    EXPECT_EQ(done("UpdateLink", changed).at("events"), (array{"link.updated"}));
    EXPECT_EQ(done("DisableLink", id).at("events"), (array{"link.disabled"}));
    EXPECT_EQ(done("EnableLink", id).at("events"), (array{"link.enabled"}));
    EXPECT_EQ(done("ClickLink", {{"short_code", "spring"}}).at("events"), (array{"link.clicked"}));
    EXPECT_EQ(done("DeleteLink", id).at("events"), (array{"link.deleted"}));
    EXPECT_EQ(done("RestoreLink", id).at("events"), (array{"link.restored"}));

    auto const key = done(
        "IssueApiKey", {{"workspace_id", workspace_id}, {"name", "ci"}, {"scopes", array{"read", "write"}}});
    auto issued = service_.client(text(key.at("result"), "api_key"));
    EXPECT_EQ(issued.get("/v1/workspaces").status, 200);
    done("RevokeApiKey", {{"api_key_id", key.at("result").at("api_key_id")}});
    EXPECT_EQ(issued.get("/v1/workspaces").status, 401);
}

TEST_F(CommandEndpoint, AnswersACommandThatChangesNothingWithoutAnEvent) {
    object const id{{"link_id", make_link().at("link_id")}};
    done("DisableLink", id);
    auto const head = service_.head();
    auto const again = done("DisableLink", id);
    EXPECT_EQ(again.at("events").as_array().size(), 0u);
    EXPECT_EQ(again.at("version").as_int64(), 2);
    EXPECT_EQ(service_.head(), head);
}

TEST_F(CommandEndpoint, GivesARetryTheSameBytes) {
    object const data{{"workspace_id", workspace_id}, {"url", "https://example.com/"}};
    http_headers const key{{"Idempotency-Key", "order-1"}};
    auto const first = command("CreateLink", data, key);
    auto const head = service_.head();
    auto const second = command("CreateLink", data, key);
    EXPECT_EQ(second.status, 200);
    EXPECT_EQ(second.body, first.body);
    EXPECT_EQ(second.header("idempotent-replayed"), "true");
    auto other = data;
    other["url"] = "https://example.com/other";
    auto const reused = command("CreateLink", other, key);
    EXPECT_EQ(reused.status, 422);
    EXPECT_EQ(problem_code(reused), "idempotency_key_reused");
    EXPECT_EQ(service_.head(), head);
}

TEST_F(CommandEndpoint, ChecksTheExpectedVersion) {
    object const data{{"link_id", make_link().at("link_id")}, {"title", "New"}};
    auto const refused = command("UpdateLink", data, {{"If-Match", "\"7\""}});
    EXPECT_EQ(refused.status, 412);
    EXPECT_EQ(problem_code(refused), "version_conflict");
    EXPECT_EQ(command("UpdateLink", data, {{"If-Match", "\"1\""}}).status, 200);
    EXPECT_EQ(command("UpdateLink", data, {{"If-Match", "W/\"1\""}}).status, 400);
}

TEST_F(CommandEndpoint, NeedsAKeyWithTheScope) {
    object const data{{"name", "Other"}, {"slug", "other"}};
    auto const body = boost::json::serialize(data);
    auto const nobody = visitor.post("/v1/commands/CreateWorkspace", body);
    EXPECT_EQ(nobody.status, 401);
    EXPECT_EQ(problem_code(nobody), "unauthenticated");
    EXPECT_FALSE(nobody.header("www-authenticate").empty());
    auto stranger = service_.client("ll_" + std::string(40, 'x'));
    EXPECT_EQ(stranger.post("/v1/commands/CreateWorkspace", body).status, 401);
    auto const key =
        done("IssueApiKey", {{"workspace_id", workspace_id}, {"name", "r"}, {"scopes", array{"read"}}});
    auto reader = service_.client(text(key.at("result"), "api_key"));
    auto const refused = reader.post("/v1/commands/CreateWorkspace", body);
    EXPECT_EQ(refused.status, 403);
    EXPECT_EQ(problem_code(refused), "forbidden");
}

TEST_F(CommandEndpoint, RefusesATakenShortCode) {
    make_link({{"short_code", "taken"}});
    auto const refused =
        command("CreateLink",
                {{"workspace_id", workspace_id}, {"url", "https://example.com/"}, {"short_code", "taken"}});
    EXPECT_EQ(refused.status, 409);
    EXPECT_EQ(problem_code(refused), "short_code_taken");
}

TEST_F(CommandEndpoint, RefusesBadInputByNameAndChangesNothing) {
    struct bad_body {
        char const* name;
        std::string fields;  // Beside workspace_id.
        char const* field;
    };
    std::vector<bad_body> const cases{
        {"unknown field", R"j("url":"https://example.com/","colour":"red")j", "colour"},
        {"missing field", R"j("title":"x")j", "url"},
        {"wrong type", R"j("url":7)j", "url"},
        {"script", R"j("url":"javascript:alert(1)")j", "url"},
        {"data URL", R"j("url":"data:text/html,x")j", "url"},
        {"file URL", R"j("url":"file:///etc/passwd")j", "url"},
        {"no host", R"j("url":"https://")j", "url"},
        {"line break in a URL", R"j("url":"https://example.com/\r\nSet-Cookie: a=b")j", "url"},
        {"long URL", R"j("url":"https://example.com/)j" + std::string(9'000, 'a') + "\"", "url"},
        {"huge number", R"j("url":"https://example.com/","max_clicks":1e400)j", ""},
        {"large number", R"j("url":"https://example.com/","max_clicks":99999999999999999999)j", "max_clicks"},
        {"negative number", R"j("url":"https://example.com/","max_clicks":-1)j", "max_clicks"},
        {"fraction", R"j("url":"https://example.com/","max_clicks":1.5)j", "max_clicks"},
        {"reserved code", R"j("url":"https://example.com/","short_code":"docs")j", "short_code"},
        {"short code", R"j("url":"https://example.com/","short_code":"a b")j", "short_code"},
        {"long title", R"j("url":"https://example.com/","title":")j" + std::string(501, 't') + "\"", "title"},
        {"bad time", R"j("url":"https://example.com/","expires_at":"tomorrow")j", "expires_at"},
        {"tags of numbers", R"j("url":"https://example.com/","tags":[1])j", "tags[0]"},
    };
    auto const head = service_.head();
    for (auto const& each : cases) {
        auto const answer = raw("{\"workspace_id\":\"" + workspace_id + "\"," + each.fields + "}");
        EXPECT_EQ(answer.status, 400) << each.name << answer.body;
        if (answer.status != 400) continue;
        EXPECT_EQ(problem_code(answer), "invalid_input") << each.name;
        if (*each.field == '\0') continue;
        auto const problem = parse(answer);
        ASSERT_TRUE(problem.as_object().contains("errors")) << each.name << answer.body;
        EXPECT_EQ(text(problem.at("errors").at(0), "field"), each.field) << each.name << answer.body;
    }
    EXPECT_EQ(service_.head(), head);
}

TEST_F(CommandEndpoint, RefusesWhatIsNoJson) {
    auto const head = service_.head();
    for (std::string const& body :
         {std::string{}, std::string{"{"}, std::string{"[]"}, std::string{"null"}, std::string{"{}x"},
          std::string{R"({"url":"a","url":"b"})"}, std::string(5'000, '['),
          "{\"a\":" + std::string(5'000, '{'), std::string{"{\"url\":\"\xC3\x28\"}"},
          std::string{"{\"url\":\"\\ud800\"}"}, std::string{"{\"url\":\"a\\u0000b\"}"},
          std::string(64, '\0')}) {
        auto const answer = raw(body);
        EXPECT_EQ(answer.status, 400) << body.substr(0, 40);
        EXPECT_FALSE(problem_code(answer).empty());
    }
    for (auto const* type : {"text/xml", "text/plain", "multipart/form-data; boundary=x"})
        EXPECT_EQ(raw("{}", {{"Content-Type", type}}).status, 415) << type;
    EXPECT_EQ(service_.head(), head);
}

TEST_F(CommandEndpoint, TakesJsonThatIsNotCalledJson) {
    std::string const body = R"({"name":"Acme","slug":"acme"})";
    EXPECT_EQ(raw(body).status, 400) << "these are no fields of CreateLink; and it was read";
    for (auto const* type : {"application/x-www-form-urlencoded", "application/json; charset=utf-8", ""}) {
        auto const slug = "acme-" + std::to_string(service_.head());
        auto const given = R"({"name":"Acme","slug":")" + slug + R"("})";
        auto const answer = admin.post("/v1/commands/CreateWorkspace", given, {{"Content-Type", type}});
        EXPECT_EQ(answer.status, 200) << type << answer.body;
        auto const bulk =
            "[{\"command\":\"CreateWorkspace\",\"data\":{\"name\":\"B\",\"slug\":\"b" + slug + "\"}}]";
        EXPECT_EQ(admin.post("/v1/commands", bulk, {{"Content-Type", type}}).status, 200) << type;
    }
    auto const form = admin.post("/v1/commands/CreateWorkspace", "name=Acme&slug=acme",
                                 {{"Content-Type", "application/x-www-form-urlencoded"}});
    EXPECT_EQ(form.status, 400) << form.body;
}

TEST_F(CommandEndpoint, RefusesUnknownCommandsAndOtherMethods) {
    EXPECT_EQ(admin.post("/v1/commands/DropTables", "{}").status, 404);
    auto const answer = get("/v1/commands/CreateLink");
    EXPECT_EQ(answer.status, 405);
    EXPECT_EQ(answer.header("allow"), "POST");
    EXPECT_EQ(command("CreateLink", {}, {{"Idempotency-Key", std::string(256, 'k')}}).status, 400);
    EXPECT_EQ(command("CreateLink", {}, {{"Idempotency-Key", ""}}).status, 400);
}

TEST_F(CommandEndpoint, RefusesOversizedBodies) {
    auto const head = service_.head();
    auto const answer = raw(std::string((1u << 20) + 1, ' '));
    EXPECT_EQ(answer.status, 413);
    EXPECT_EQ(problem_code(answer), "body_too_large");
    EXPECT_EQ(service_.head(), head);
}

TEST_F(CommandEndpoint, AnswersEachCommandOfABulkByItself) {
    auto const entry = [&](std::string const& code) {
        return object{
            {"command", "CreateLink"},
            {"data",
             {{"workspace_id", workspace_id}, {"url", "https://example.com/"}, {"short_code", code}}}};
    };
    array const bulk{entry("one"),
                     entry("one"),
                     object{{"command", "Nonsense"}, {"data", object{}}},
                     "text",
                     object{{"command", "CreateLink"}},
                     object{{"command", "AcceptInvitation"}, {"data", {{"token", "t"}, {"name", "n"}}}},
                     entry("two")};
    auto const answer = admin.post("/v1/commands", boost::json::serialize(bulk));
    EXPECT_EQ(answer.status, 200) << answer.body;
    auto const all = parse(answer).as_array();
    ASSERT_EQ(all.size(), bulk.size());
    EXPECT_EQ(text(all[0].at("result"), "short_code"), "one");
    EXPECT_EQ(text(all[1], "code"), "short_code_taken");
    EXPECT_EQ(text(all[2], "code"), "not_found");
    for (std::size_t i : {3u, 4u, 5u}) EXPECT_EQ(text(all[i], "code"), "invalid_input") << i;
    EXPECT_EQ(text(all[6].at("result"), "short_code"), "two");
}

TEST_F(CommandEndpoint, TakesAThousandCommandsAndNoMore) {
    array bulk;
    for (int i = 0; i < 1'000; ++i)
        bulk.push_back(object{{"command", "CreateLink"},
                              {"idempotency_key", "k" + std::to_string(i)},
                              {"data", {{"workspace_id", workspace_id}, {"url", "https://example.com/"}}}});
    auto const head = service_.head();
    auto const first = admin.post("/v1/commands", boost::json::serialize(bulk));
    EXPECT_EQ(first.status, 200);
    EXPECT_EQ(service_.head(), head + 1'000);
    auto const again = admin.post("/v1/commands", boost::json::serialize(bulk));
    EXPECT_EQ(again.body, first.body);
    EXPECT_EQ(service_.head(), head + 1'000);
    bulk.push_back(bulk[0]);
    EXPECT_EQ(admin.post("/v1/commands", boost::json::serialize(bulk)).status, 400);
    EXPECT_EQ(admin.post("/v1/commands", "[]").status, 400);
    EXPECT_EQ(admin.post("/v1/commands", "{}").status, 400);
    EXPECT_EQ(visitor.post("/v1/commands", "[{}]").status, 401);
}

TEST_F(CommandEndpoint, Is503WithRetryAfterWhileTheStoreIsAway) {
    make_link();
    service_.faulty.from_now_on(test::fault::away);
    auto const answer =
        command("CreateLink", {{"workspace_id", workspace_id}, {"url", "https://example.com/"}});
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(problem_code(answer), "unavailable");
    EXPECT_FALSE(answer.header("retry-after").empty());
    service_.faulty.from_now_on(test::fault::none);
    object const data{{"workspace_id", workspace_id}, {"url", "https://example.com/"}};
    EXPECT_TRUE(comes_true([&] { return command("CreateLink", data).status == 200; }));
}

}  // namespace
}  // namespace linkledger::tests
