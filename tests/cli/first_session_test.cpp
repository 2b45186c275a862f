// The first session of the README, and what two processes on one log see of each other.

#include "paths.h"
#include "tests/cli/served.h"
#include "tests/support/read_file.h"

#include <gmock/gmock.h>

#include <csignal>
#include <sstream>
#include <thread>

namespace linkledger::test {

namespace {

/// The lines that show a call of curl.
std::vector<std::string> curl_commands_in(std::string const& text) {
    std::vector<std::string> commands;
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with("$ curl")) commands.push_back(line);
    return commands;
}

}  // namespace

using testing::HasSubstr;

class FirstSession : public OnBothBackends {};
LINKLEDGER_ON_BOTH_BACKENDS(FirstSession);

TEST_P(FirstSession, GoesFromWorkspaceToAuditLogAsTheReadmeShowsIt) {
    site const at{GetParam()};
    served const server{at};
    process script{{LINKLEDGER_SOURCE_DIR "/docs/first_session.sh",
                    "http://127.0.0.1:" + std::to_string(server.port()), at.key()},
                   {}};
    auto const done = script.wait();
    ASSERT_EQ(done.exit_code, 0) << done.out << done.err;
    EXPECT_THAT(done.out, HasSubstr("302 https://shop.example/spring-sale"));
    EXPECT_THAT(
        done.out,
        HasSubstr(R"({"short_code":"spring","url":"https://shop.example/spring-sale","total_clicks":3,)"
                  R"("unique_clicks":2})"));
    for (auto const* action :
         {"workspace.created", "link.created", "user.invited", "user.joined", "link.updated"})
        EXPECT_THAT(done.out, HasSubstr(action));
}

TEST(FirstSession, StandsInTheReadmeAsItRuns) {
    site const at{"sqlite"};
    served const server{at};
    process script{{LINKLEDGER_SOURCE_DIR "/docs/first_session.sh",
                    "http://127.0.0.1:" + std::to_string(server.port()), at.key()},
                   {}};
    auto const shown = curl_commands_in(script.wait().out);
    EXPECT_FALSE(shown.empty());
    EXPECT_EQ(curl_commands_in(read_file(LINKLEDGER_SOURCE_DIR "/README.md")), shown);
}

TEST_P(FirstSession, PrintsTheFirstAdminKeyOnceWhenNoneIsGiven) {
    site const at{GetParam()};
    variables const without_key{{"LINKLEDGER_ADMIN_KEY", ""}};
    auto environment = at.with(without_key);
    environment["LISTEN"] = "127.0.0.1:0";
    auto const first_line_of = [&] {
        process child{{LINKLEDGER_EXECUTABLE, "serve"}, environment};
        while (child.running() && child.out().find("listens on") == std::string::npos)
            std::this_thread::sleep_for(std::chrono::milliseconds{10});
        child.signal(SIGTERM);
        auto const done = child.wait();
        EXPECT_EQ(done.exit_code, 0) << done.err;
        return done;
    };
    auto const first = first_line_of();
    EXPECT_THAT(first.out, HasSubstr("    ll_"));
    EXPECT_THAT(first.err, testing::Not(HasSubstr("ll_")));
    EXPECT_THAT(first_line_of().out, testing::Not(HasSubstr("ll_")));
}

class TwoProcesses : public OnBothBackends {};
LINKLEDGER_ON_BOTH_BACKENDS(TwoProcesses);

TEST_P(TwoProcesses, ServeOneLogTogether) {
    site const at{GetParam()};
    served const one{at};
    served const two{at};
    auto here = one.client();
    auto there = two.client();
    auto const workspace = create_workspace(here);

    // A link made by one redirects at the other; clicks at both count once each.
    auto const code = create_link(here, workspace, "https://a.example/");
    EXPECT_EQ(there.get("/" + code).status, 302);
    EXPECT_EQ(here.get("/" + code).status, 302);
    auto const answer = json_of(
        there.command("CreateLink", R"({"workspace_id":")" + workspace + R"(","url":"https://b.example/"})"));
    auto const position = text_at(answer, "position");
    auto const list = json_of(
        here.get("/v1/links?workspace_id=" + workspace + "&sort=created_at&order=asc&after=" + position));
    ASSERT_EQ(list.at("items").as_array().size(), 2u) << boost::json::serialize(list);
    EXPECT_EQ(list.at("items").at(0).at("total_clicks").to_number<int>(), 2);
}

TEST_P(TwoProcesses, GiveACodeToOneOfThemOnly) {
    site const at{GetParam()};
    served const one{at};
    served const two{at};
    auto here = one.client();
    auto there = two.client();
    auto const workspace = create_workspace(here);
    std::string const data =
        R"({"workspace_id":")" + workspace + R"(","url":"https://a.example/","short_code":"only-one"})";
    EXPECT_EQ(here.command("CreateLink", data).status, 200);
    auto const second = json_of(there.command("CreateLink", data), 409);
    EXPECT_EQ(text_at(second, "code"), "short_code_taken");
}

TEST_P(TwoProcesses, GiveTheSameAnswerToARetry) {
    site const at{GetParam()};
    served const one{at};
    served const two{at};
    auto here = one.client();
    auto there = two.client();
    auto const workspace = create_workspace(here);
    EXPECT_EQ(create_link(here, workspace, "https://a.example/", "retry-1"),
              create_link(there, workspace, "https://a.example/", "retry-1"));
}

}  // namespace linkledger::test
