// What was answered is there afterwards: kill -9 under load, stops in order, a database that goes away.

#include "tests/cli/served.h"
#include "tests/support/postgres_server.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>

namespace linkledger::test {

namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;

/// Clients that click a link and create others until told to stop; what was answered is remembered.
class load {
public:
    load(int port, std::string const& key, std::string const& workspace, std::string const& code, int round) {
        for (int worker = 0; worker < 4; ++worker) {
            auto const name = std::to_string(round) + "-" + std::to_string(worker);
            threads_.emplace_back([=, this] { click(port, code, name); });
            threads_.emplace_back([=, this] { create(port, key, workspace, name); });
        }
    }

    void join() {
        stopping_ = true;
        for (auto& thread : threads_) thread.join();
        threads_.clear();
    }

    std::atomic<int> unexpected{0};
    /// Links that were answered, by code, and clicks, by utm_campaign. After join().
    [[nodiscard]] std::set<std::string> const& codes() const { return codes_; }
    [[nodiscard]] std::set<std::string> const& clicks() const { return clicks_; }

private:
    void click(int port, std::string const& code, std::string const& name) {
        http_client client{port};
        int number = 0;
        repeat([&] {
            auto const campaign = name + "-" + std::to_string(++number);
            auto const answer = client.get("/" + code + "?utm_campaign=" + campaign);
            if (answer.status == 302) {
                std::lock_guard const lock{mutex_};
                clicks_.insert(campaign);
            } else if (answer.status != 503) {
                ++unexpected;
            }
        });
    }

    void create(int port, std::string const& key, std::string const& workspace, std::string const& name) {
        http_client client{port, key};
        int number = 0;
        repeat([&] {
            auto const code = "k-" + name + "-" + std::to_string(++number);
            auto const answer = client.command(
                "CreateLink", R"({"workspace_id":")" + workspace +
                                  R"(","url":"https://a.example/","short_code":")" + code + R"("})");
            if (answer.status == 200) {
                std::lock_guard const lock{mutex_};
                codes_.insert(code);
            } else if (answer.status != 503) {
                ++unexpected;
            }
        });
    }

    template <typename Work>
    void repeat(Work const& work) {
        while (!stopping_) {
            try {
                work();
            } catch (http_failed const&) {
                return;  // The server is gone.
            }
        }
    }

    std::atomic<bool> stopping_{false};
    std::mutex mutex_;
    std::set<std::string> codes_, clicks_;
    std::vector<std::thread> threads_;
};

/// Everything of a type in the log, through the command line.
std::vector<boost::json::value> events_of(site const& at, std::string const& type) {
    auto const done = linkledger({"events", "--type", type}, at.environment());
    EXPECT_EQ(done.exit_code, 0) << done.err;
    std::vector<boost::json::value> all;
    std::istringstream lines{done.out};
    for (std::string line; std::getline(lines, line);) all.push_back(boost::json::parse(line));
    return all;
}

std::vector<std::string> missing(std::set<std::string> const& answered,
                                 std::set<std::string> const& recorded) {
    std::vector<std::string> lost;
    std::set_difference(answered.begin(), answered.end(), recorded.begin(), recorded.end(),
                        std::back_inserter(lost));
    return lost;
}

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

    auto const click_events = events_of(at, "link.clicked");
    std::set<std::string> clicks, links;
    for (auto const& event : click_events) clicks.insert(text_at(event, "data.utm_campaign"));
    for (auto const& event : events_of(at, "link.created")) links.insert(text_at(event, "data.short_code"));
    EXPECT_EQ(clicks.size(), click_events.size()) << "a click is there twice";
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
    EXPECT_THAT(client.get("/" + code).status, AnyOf(503, 302));
    EXPECT_EQ(client.get("/readyz").status, 503);
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
