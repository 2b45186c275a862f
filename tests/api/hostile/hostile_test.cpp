// Every hostile request against the whole service: the expected answer, and no effect.

#include "tests/api/hostile/hostile.h"

#include <boost/json.hpp>

#include <cstdio>
#include <set>

namespace linkledger::tests {
namespace {

using boost::json::array;
using boost::json::object;

/// The service is made once: none of these requests may change it.
class HostileInput : public ServiceTest {
public:
    HostileInput() : ServiceTest(options()) {}
    /// One address sends more guesses here than a person may in a minute.
    static api::application_options options() {
        api::application_options made;
        made.rates = {0, 0, 0, 0};
        return made;
    }

    // Called by SetUpTestSuite on an instance that is kept for all tests.
    void TestBody() override {}
    void make_world() {
        world.admin_key = service_.admin_key;
        world.workspace = workspace_id;
        world.link = text(make_link({{"short_code", open_code}}), "link_id");
        world.locked_id =
            text(make_link({{"short_code", locked_code}, {"password", "open sesame"}}), "link_id");
        done("DisableLink", {{"link_id", text(make_link({{"short_code", disabled_code}}), "link_id")}});
        done("DeleteLink", {{"link_id", text(make_link({{"short_code", deleted_code}}), "link_id")}});
        world.reader_key = text(issue(workspace_id, array{"read"}), "api_key");
        auto const revoked = issue(workspace_id, array{"read", "write", "admin", "audit"});
        done("RevokeApiKey", {{"api_key_id", text(revoked, "api_key_id")}});
        world.revoked_key = text(revoked, "api_key");
        auto const other = done("CreateWorkspace", {{"name", "Other"}, {"slug", "other"}});
        auto const other_id = text(other.at("result"), "workspace_id");
        world.bound_key = text(issue(other_id, array{"read", "write", "admin", "audit"}), "api_key");
    }
    json issue(std::string const& workspace, array scopes) {
        return done("IssueApiKey",
                    {{"workspace_id", workspace}, {"name", "key"}, {"scopes", std::move(scopes)}})
            .at("result");
    }

    static void SetUpTestSuite() {
        shared = new HostileInput;
        shared->make_world();
    }
    static void TearDownTestSuite() {
        delete shared;
        shared = nullptr;
    }

    hostile_world world;
    service& on() { return service_; }
    static HostileInput* shared;
};
HostileInput* HostileInput::shared = nullptr;

class Hostile : public testing::Test {
protected:
    static void SetUpTestSuite() { HostileInput::SetUpTestSuite(); }
    static void TearDownTestSuite() { HostileInput::TearDownTestSuite(); }

    static void check_problem(hostile_case const& each, http_response const& answer) {
        EXPECT_EQ(answer.header("content-type"), "application/problem+json") << answer.body;
        EXPECT_EQ(answer.header("x-content-type-options"), "nosniff");
        boost::system::error_code ec;
        auto const problem = boost::json::parse(answer.body, ec);
        ASSERT_FALSE(ec) << answer.body;
        EXPECT_EQ(problem.at("code"), boost::json::value(each.code)) << answer.body;
        EXPECT_EQ(problem.at("status").as_int64(), answer.status);
    }

    /// Sends it, half-closes, and looks at all that comes back.
    static void run(hostile_case const& each) {
        SCOPED_TRACE(each.name);
        auto& on = HostileInput::shared->on();
        auto const head = on.head();
        raw_connection connection(on.port());
        connection.send(each.bytes);
        connection.half_close();
        auto const answer = connection.receive_response(each.bytes.starts_with("HEAD "));
        EXPECT_EQ(answer ? answer->status : 0, each.status) << (answer ? answer->body : std::string{});
        if (answer && !each.code.empty()) check_problem(each, *answer);
        if (answer) {
            EXPECT_EQ(answer->header("set-cookie"), "");
            EXPECT_EQ(answer->header("x-injected"), "");
            EXPECT_LT(answer->body.size(), 100'000u) << "an answer that repeats what it was sent";
        }
        // What follows in the same bytes may be refused too, but never be carried out.
        while (auto const next = connection.receive_response())
            EXPECT_GE(next->status, 400) << "a second request was smuggled: " << next->body;
        EXPECT_EQ(on.head(), head) << "it changed the log";
    }
    static void run(hostile_cases (*cases)(hostile_world const&)) {
        for (auto const& each : cases(HostileInput::shared->world)) run(each);
    }
};

TEST_F(Hostile, FramingIsRefused) {
    run(framing_cases);
}
TEST_F(Hostile, TargetsLeadNowhere) {
    run(target_cases);
}
TEST_F(Hostile, JsonIsRefusedByEveryCommand) {
    run(json_cases);
}
TEST_F(Hostile, BulksAreRefused) {
    run(bulk_cases);
}
TEST_F(Hostile, UrlsAreRefused) {
    run(url_cases);
}
TEST_F(Hostile, ValuesAreRefused) {
    run(value_cases);
}
TEST_F(Hostile, HeadersAreRefused) {
    run(header_cases);
}
TEST_F(Hostile, ParametersAreRefused) {
    run(parameter_cases);
}
TEST_F(Hostile, VisitsDoNotCount) {
    run(visit_cases);
}

TEST_F(Hostile, CasesAreManyAndNamedApart) {
    std::set<std::string> names;
    std::size_t count = 0;
    for (auto* table : {framing_cases, target_cases, json_cases, bulk_cases, url_cases, value_cases,
                        header_cases, parameter_cases, visit_cases})
        for (auto const& each : table(HostileInput::shared->world)) {
            ++count;
            EXPECT_TRUE(names.insert(each.name).second) << each.name;
        }
    std::printf("%zu cases\n", count);
    EXPECT_GE(count, 200u);
}

/// The counterpart: the requests that the cases vary are good ones, so that a refusal is due to what was
/// varied.
TEST(HostileBaseline, TheUnvariedRequestsAreCarriedOut) {
    HostileInput::SetUpTestSuite();
    auto& on = HostileInput::shared->on();
    auto const& w = HostileInput::shared->world;
    for (auto const& bytes :
         {command("CreateLink", w.admin_key, good_link(w)), get("/v1/links", w.reader_key),
          get("/v1/events", w.admin_key), get("/" + std::string{open_code}),
          post("/" + std::string{locked_code}, "", "password=open+sesame",
               "Content-Type: application/x-www-form-urlencoded\r\n"),
          get("/v1/links/" + w.link + "/clicks", w.admin_key),
          get("/v1/links/" + w.link + "/stats", w.admin_key),
          get("/v1/workspaces/" + w.workspace + "/audit-logs", w.admin_key)}) {
        raw_connection connection(on.port());
        connection.send(bytes);
        connection.half_close();
        auto const answer = connection.receive_response();
        ASSERT_TRUE(answer);
        EXPECT_TRUE(answer->status == 200 || answer->status == 302) << bytes << answer->body;
    }
    HostileInput::TearDownTestSuite();
}

}  // namespace
}  // namespace linkledger::tests
