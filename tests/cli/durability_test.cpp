// What was answered is there afterwards: kill -9 under load, stops in order, a database that goes away.

#include "tests/cli/load.h"
#include "tests/cli/served.h"
#include "tests/support/postgres_server.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <thread>

namespace linkledger::test {

namespace {

using testing::HasSubstr;
using testing::IsEmpty;

/// KILL_ROUNDS: the long version, whose figures stand in bench/README.md.
int rounds_of_kills() {
    char const* const told = std::getenv("KILL_ROUNDS");
    return told ? std::max(1, std::atoi(told)) : 3;
}

}  // namespace

class Killed : public OnBothBackends {};
LINKLEDGER_ON_BOTH_BACKENDS(Killed);

TEST_P(Killed, UnderLoadLosesNothingThatWasAnswered) {
    int const rounds = rounds_of_kills();
    site const at{GetParam()};
    served server{at};
    auto client = server.client();
    auto const workspace = create_workspace(client);
    auto const code = create_link(client, workspace, "https://a.example/");
    std::set<std::string> answered_links, answered_clicks;
    for (int round = 0; round < rounds; ++round) {
        load clients{server.port(), at.key(), workspace, code, round};
        // Long enough for traffic, short enough to hit any moment of it.
        std::this_thread::sleep_for(std::chrono::milliseconds{300 + 137 * round % 1'000});
        server.kill9();
        clients.join();
        EXPECT_EQ(clients.unexpected, 0);
        answered_links.insert(clients.codes().begin(), clients.codes().end());
        answered_clicks.insert(clients.clicks().begin(), clients.clicks().end());
        server.start();
    }
    EXPECT_FALSE(answered_clicks.empty());
    EXPECT_FALSE(answered_links.empty());

    auto const clicks = recorded_clicks(at);
    std::set<std::string> links;
    for (auto const& event : events_of(at, "link.created")) links.insert(text_at(event, "data.short_code"));
    EXPECT_THAT(missing(answered_clicks, clicks), IsEmpty());
    EXPECT_THAT(missing(answered_links, links), IsEmpty());
    std::printf(
        "%s, %d rounds of kill -9: clicks answered %zu, recorded %zu, missing %zu; "
        "links answered %zu, recorded %zu, missing %zu\n",
        GetParam().c_str(), rounds, answered_clicks.size(), clicks.size(),
        missing(answered_clicks, clicks).size(), answered_links.size(), links.size(),
        missing(answered_links, links).size());

    // The read model says the same as the log once it is there.
    auto again = server.client();
    auto const head = text_at(json_of(again.get("/v1/events?limit=1")), "head");
    auto const found = json_of(
        again.get("/v1/links?workspace_id=" + workspace + "&search=" + code + "&wait_ms=5000&after=" + head));
    ASSERT_EQ(found.at("items").as_array().size(), 1u);
    EXPECT_EQ(found.at("items").at(0).at("total_clicks").to_number<std::size_t>(), clicks.size());
}

class Stopped : public OnBothBackends {};
LINKLEDGER_ON_BOTH_BACKENDS(Stopped);

TEST_P(Stopped, InOrderAnswersWhatIsInFlight) {
    site const at{GetParam()};
    served server{at};
    auto client = server.client();
    auto const workspace = create_workspace(client);
    auto const code = create_link(client, workspace, "https://a.example/");
    load clients{server.port(), at.key(), workspace, code, 0};
    std::this_thread::sleep_for(std::chrono::milliseconds{300});
    auto const done = server.stop();
    clients.join();
    EXPECT_EQ(done.exit_code, 0) << done.err;
    EXPECT_EQ(clients.unexpected, 0);
    EXPECT_FALSE(clients.clicks().empty());
    EXPECT_GE(events_of(at, "link.clicked").size(), clients.clicks().size());
    EXPECT_THROW(server.client().get("/healthz"), http_failed);
}

TEST_P(Stopped, BySigintAsWell) {
    site const at{GetParam()};
    served server{at};
    server.child().signal(SIGINT);
    EXPECT_EQ(server.child().wait().exit_code, 0);
}

TEST(DatabaseOutage, IsAnsweredWith503AndEndsWithoutARestart) {
    postgres_server database;
    site const at{"postgresql", database.fresh_database()};
    served server{at};
    auto client = server.client();
    auto const workspace = create_workspace(client);
    auto const code = create_link(client, workspace, "https://a.example/");

    database.kill9();
    std::string const data = R"({"workspace_id":")" + workspace + R"(","url":"https://b.example/"})";
    auto const refused = client.command("CreateLink", data);
    EXPECT_EQ(refused.status, 503) << refused.body;
    EXPECT_TRUE(refused.headers.contains("retry-after"));
    EXPECT_EQ(refused.headers.at("content-type"), "application/problem+json");
    EXPECT_EQ(client.get("/" + code).status, 302) << "a known link goes on, its click is spooled";
    EXPECT_EQ(text_at(json_of(client.get("/readyz")), "status"), "degraded");
    EXPECT_EQ(client.get("/healthz").status, 200);

    database.start();
    auto const until = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    int status = 0;
    while (status != 200 && std::chrono::steady_clock::now() < until) {
        status = client.command("CreateLink", data).status;
        if (status != 200) std::this_thread::sleep_for(std::chrono::milliseconds{100});
    }
    EXPECT_EQ(status, 200);
    EXPECT_EQ(client.get("/" + code).status, 302);
    while (client.get("/readyz").status != 200 && std::chrono::steady_clock::now() < until)
        std::this_thread::sleep_for(std::chrono::milliseconds{100});
    EXPECT_EQ(client.get("/readyz").status, 200);
    auto const head = text_at(json_of(client.get("/v1/events?limit=1")), "head");
    EXPECT_EQ(client.get("/v1/links?workspace_id=" + workspace + "&wait_ms=5000&after=" + head).status, 200);
    EXPECT_TRUE(server.child().running());
}

}  // namespace linkledger::test
