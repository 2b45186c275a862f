// The command line: help, exit codes, and the small subcommands.

#include "paths.h"
#include "tests/cli/served.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace linkledger::test {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(CommandLine, HelpsOnEveryLevel) {
    for (auto const& arguments : std::vector<std::vector<std::string>>{{"--help"},
                                                                       {"serve", "--help"},
                                                                       {"migrate", "--help"},
                                                                       {"migrate", "down", "--help"},
                                                                       {"import", "--help"},
                                                                       {"events", "--help"},
                                                                       {"projections", "--help"},
                                                                       {"keys", "--help"},
                                                                       {"keys", "issue", "--help"}}) {
        auto const done = linkledger(arguments, {});
        EXPECT_EQ(done.exit_code, 0);
        EXPECT_THAT(done.out, HasSubstr("Usage: "));
    }
    EXPECT_THAT(linkledger({"--help"}, {}).out,
                AllOf(HasSubstr("DATABASE_URL"), HasSubstr("serve"), HasSubstr("import")));
    EXPECT_THAT(linkledger({"--version"}, {}).out, HasSubstr("linkledger 0."));
}

TEST(CommandLine, AnswersWrongUsageWithTwo) {
    EXPECT_EQ(linkledger({}, {}).exit_code, 2);
    EXPECT_EQ(linkledger({"sevre"}, {}).exit_code, 2);
    EXPECT_EQ(linkledger({"serve", "--port", "80"}, {}).exit_code, 2);
    EXPECT_EQ(linkledger({"migrate"}, {}).exit_code, 2);
    EXPECT_EQ(
        linkledger({"keys", "issue", "--workspace", "x", "--name", "y", "--scope", "all"}, {}).exit_code, 2);
}

TEST(CommandLine, StopsTheStartAtAValueThatCannotBeUsed) {
    auto const done = linkledger({"serve"}, {{"KEEP_IP", "sometimes"}});
    EXPECT_EQ(done.exit_code, 2);
    EXPECT_EQ(
        done.err,
        "linkledger: KEEP_IP: \"sometimes\" cannot be used. Accepted: one of: none, truncated, full.\n");
}

TEST(CommandLine, SaysThatADatabaseCannotBeReachedAndShowsNoPassword) {
    auto const port = std::to_string(free_port());
    temp_folder const folder;
    for (auto const* subcommand : {"serve", "events", "projections"}) {
        auto const done =
            linkledger({subcommand}, {{"DATABASE_URL", "postgresql://ll:hunter2@127.0.0.1:" + port + "/ll"},
                                      {"MASTER_KEY_FILE", folder.file("master.key")}});
        EXPECT_EQ(done.exit_code, 1) << subcommand;
        EXPECT_THAT(done.err, AllOf(HasSubstr("linkledger: "), Not(HasSubstr("hunter2")))) << subcommand;
    }
}

TEST(CommandLine, SaysThatAnAddressIsTaken) {
    site const at{"sqlite"};
    served const server{at};
    site const other{"sqlite"};
    auto const done =
        linkledger({"serve"}, other.with({{"LISTEN", "127.0.0.1:" + std::to_string(server.port())}}));
    EXPECT_EQ(done.exit_code, 1);
    EXPECT_THAT(done.err, HasSubstr(std::to_string(server.port())));
}

TEST(CommandLine, NamesASubcommandThatIsNot) {
    auto const done = linkledger({"server"}, site{"sqlite"}.environment());
    EXPECT_EQ(done.exit_code, 2);
    EXPECT_THAT(done.err, HasSubstr("no subcommand \"server\""));
}

TEST(CommandLine, ListsTheEnvironmentOnceAndNotWithEverySubcommand) {
    site const at{"sqlite"};
    EXPECT_THAT(linkledger({"--help"}, at.environment()).out, HasSubstr("LINK_CACHE_MAX"));
    auto const issue = linkledger({"keys", "issue", "--help"}, at.environment()).out;
    EXPECT_THAT(issue, AllOf(HasSubstr("linkledger --help"), Not(HasSubstr("LINK_CACHE_MAX"))));
}

TEST(CommandLine, NamesAFileThatIsNoDatabase) {
    site const at{"sqlite"};
    auto const path = at.folder().file("text.db");
    std::ofstream{path} << "this is a text, and no database at all";
    auto const done = linkledger({"migrate", "up"}, at.with({{"DB_PATH", path}}));
    EXPECT_EQ(done.exit_code, 1);
    EXPECT_THAT(done.err, AllOf(HasSubstr(path), HasSubstr("not a database")));
}

TEST(CommandLine, ImportsNoFolder) {
    site const at{"sqlite"};
    auto const done = linkledger({"import", at.folder().file("")}, at.environment());
    EXPECT_EQ(done.exit_code, 1);
    EXPECT_THAT(done.err, HasSubstr("is a folder"));
}

class MasterKey : public OnBothBackends {};
LINKLEDGER_ON_BOTH_BACKENDS(MasterKey);

TEST_P(MasterKey, IsNotReplacedWhenItIsMissingOrAnother) {
    site const at{GetParam()};
    served{at}.stop();
    auto const missing = at.folder().file("elsewhere.key");
    auto const without = linkledger({"serve"}, at.with({{"MASTER_KEY_FILE", missing}}));
    EXPECT_EQ(without.exit_code, 1);
    EXPECT_THAT(without.err, AllOf(HasSubstr(missing), HasSubstr("missing")));
    EXPECT_FALSE(std::filesystem::exists(missing));

    std::ofstream{missing} << std::string(32, 'x');
    std::filesystem::permissions(missing, std::filesystem::perms::owner_read);
    auto const with_another = linkledger({"serve"}, at.with({{"MASTER_KEY_FILE", missing}}));
    EXPECT_EQ(with_another.exit_code, 1);
    EXPECT_THAT(with_another.err, AllOf(HasSubstr(missing), HasSubstr("not this log's")));
    served{at}.stop();
}

class Migrate : public OnBothBackends {};
LINKLEDGER_ON_BOTH_BACKENDS(Migrate);

TEST_P(Migrate, GoesUpAndDownAndTellsWhereItIs) {
    site const at{GetParam()};
    auto const before = linkledger({"migrate", "status", "--json"}, at.environment());
    EXPECT_EQ(before.exit_code, 0) << before.err;
    auto const up = linkledger({"migrate", "up"}, at.environment());
    EXPECT_EQ(up.exit_code, 0) << up.err;
    EXPECT_THAT(up.out, AllOf(HasSubstr("000001 event_log"), HasSubstr("links_v1")));
    EXPECT_EQ(linkledger({"migrate", "up"}, at.environment()).out, "nothing to do\n");
    auto const status = boost::json::parse(linkledger({"migrate", "status", "--json"}, at.environment()).out);
    for (auto const& line : status.as_array()) EXPECT_TRUE(line.at("applied").as_bool());
    EXPECT_THAT(linkledger({"migrate", "status"}, at.environment()).out, HasSubstr("applied"));
    auto const all = std::to_string(status.as_array().size());
    auto const down = linkledger({"migrate", "down", all}, at.environment());
    EXPECT_EQ(down.exit_code, 0) << down.err;
    EXPECT_EQ(linkledger({"migrate", "up"}, at.environment()).exit_code, 0);
}

TEST_P(Migrate, DoesNotTakeALogWithEventsAway) {
    site const at{GetParam()};
    served{at}.stop();
    auto const done = linkledger({"migrate", "down", "100"}, at.environment());
    EXPECT_EQ(done.exit_code, 1);
    EXPECT_THAT(linkledger({"events"}, at.environment()).out, HasSubstr("api_key.issued"));
}

class Keys : public OnBothBackends {};
LINKLEDGER_ON_BOTH_BACKENDS(Keys);

TEST_P(Keys, AreIssuedAndRevokedBesideARunningServer) {
    site const at{GetParam()};
    served const server{at};
    auto admin = server.client();
    auto const workspace = create_workspace(admin);
    auto const done = linkledger(
        {"keys", "issue", "--workspace", "acme", "--name", "script", "--scope", "read,write", "--json"},
        at.environment());
    ASSERT_EQ(done.exit_code, 0) << done.err;
    auto const issued = boost::json::parse(done.out);
    http_client script{server.port(), text_at(issued, "api_key")};
    EXPECT_EQ(script.get("/v1/links?workspace_id=" + workspace).status, 200);
    auto const revoked = linkledger({"keys", "revoke", text_at(issued, "api_key_id")}, at.environment());
    ASSERT_EQ(revoked.exit_code, 0) << revoked.err;
    auto const until = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    while (script.get("/v1/workspaces").status != 401 && std::chrono::steady_clock::now() < until)
        std::this_thread::sleep_for(std::chrono::milliseconds{20});
    EXPECT_EQ(script.get("/v1/workspaces").status, 401);
    EXPECT_EQ(linkledger({"keys", "revoke", "no-uuid"}, at.environment()).exit_code, 1);
}

class Events : public OnBothBackends {};
LINKLEDGER_ON_BOTH_BACKENDS(Events);

TEST_P(Events, ArePrintedALineEachAndFollowed) {
    site const at{GetParam()};
    served const server{at};
    auto client = server.client();
    process follower{{LINKLEDGER_EXECUTABLE, "events", "--follow", "--type", "workspace.created"},
                     at.environment()};
    auto const workspace = create_workspace(client);
    while (follower.running() && follower.out().find('\n') == std::string::npos)
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    auto const line = boost::json::parse(follower.out());
    EXPECT_EQ(text_at(line, "stream"), "workspace-" + workspace);
    EXPECT_EQ(text_at(line, "data.slug"), "acme");
    EXPECT_EQ(text_at(line, "metadata.command"), "CreateWorkspace");

    auto const first = linkledger({"events", "--limit", "1"}, at.environment());
    EXPECT_EQ(text_at(boost::json::parse(first.out), "position"), "1");
    EXPECT_EQ(linkledger({"events", "--after", "1000000"}, at.environment()).out, "");
    EXPECT_EQ(linkledger({"events", "--stream", "workspace-" + workspace}, at.environment()).out,
              follower.out());
}

class ProjectionsCommand : public OnBothBackends {};
LINKLEDGER_ON_BOTH_BACKENDS(ProjectionsCommand);

TEST_P(ProjectionsCommand, ShowsHowFarEachIs) {
    site const at{GetParam()};
    served const server{at};
    auto client = server.client();
    create_workspace(client);
    auto const head = text_at(json_of(client.get("/v1/events?limit=1")), "head");
    EXPECT_EQ(client.get("/v1/workspaces?after=" + head).status, 200);
    auto const until = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    boost::json::value all;
    bool live = false;
    while (!live && std::chrono::steady_clock::now() < until) {
        auto const done = linkledger({"projections", "--json"}, at.environment());
        ASSERT_EQ(done.exit_code, 0) << done.err;
        all = boost::json::parse(done.out);
        live = true;
        for (auto const& one : all.as_array()) live = live && text_at(one, "state") == "live";
    }
    EXPECT_EQ(all.as_array().size(), 5u);
    for (auto const& one : all.as_array()) EXPECT_EQ(text_at(one, "position"), head);
    EXPECT_THAT(linkledger({"projections"}, at.environment()).out,
                AllOf(HasSubstr("accounts"), HasSubstr("live")));
}

}  // namespace linkledger::test
