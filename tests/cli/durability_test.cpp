// What was answered is there afterwards: kill -9 under load, stops in order, a database that goes away.

#include "tests/cli/served.h"
#include "tests/support/postgres_server.h"

#include <gmock/gmock.h>

#include <atomic>
#include <csignal>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>

namespace linkledger::test {

namespace {

using testing::AnyOf;
using testing::HasSubstr;

/// Clients that click a link and create others until told to stop; what was answered is remembered.
class load {
public:
    load(int port, std::string const& key, std::string const& workspace, std::string const& code, int round) {
        for (int worker = 0; worker < 4; ++worker) {
            threads_.emplace_back([=, this] { click(port, code); });
            threads_.emplace_back([=, this] {
                create(port, key, workspace, std::to_string(round) + "-" + std::to_string(worker));
            });
        }
    }

    void join() {
        stopping_ = true;
        for (auto& thread : threads_) thread.join();
        threads_.clear();
    }

    std::atomic<int> clicks_sent{0}, clicks_answered{0}, unexpected{0};
    [[nodiscard]] std::set<std::string> const& codes() const { return codes_; }

private:
    void click(int port, std::string const& code) {
        http_client client{port};
        repeat([&] {
            ++clicks_sent;
            auto const answer = client.get("/" + code);
            if (answer.status == 302) ++clicks_answered;
            if (answer.status != 302 && answer.status != 503) ++unexpected;
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
    std::set<std::string> codes_;
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

}  // namespace

class Killed : public OnBothBackends {};
LINKLEDGER_ON_BOTH_BACKENDS(Killed);

TEST_P(Killed, UnderLoadLosesNothingThatWasAnswered) {
    constexpr int rounds = 3;
    site const at{GetParam()};
    served server{at};
    auto client = server.client();
    auto const workspace = create_workspace(client);
    auto const code = create_link(client, workspace, "https://a.example/");
    std::set<std::string> codes;
    int clicks_sent = 0, clicks_answered = 0;
    for (int round = 0; round < rounds; ++round) {
        load clients{server.port(), at.key(), workspace, code, round};
        // Long enough for traffic, short enough to hit any moment of it.
        std::this_thread::sleep_for(std::chrono::milliseconds{300 + 137 * round});
        server.kill9();
        clients.join();
        EXPECT_EQ(clients.unexpected, 0);
        codes.insert(clients.codes().begin(), clients.codes().end());
        clicks_sent += clients.clicks_sent;
        clicks_answered += clients.clicks_answered;
        server.start();
    }
    EXPECT_GT(clicks_answered, 0);
    EXPECT_FALSE(codes.empty());

    auto const clicks = static_cast<int>(events_of(at, "link.clicked").size());
    EXPECT_GE(clicks, clicks_answered);
    EXPECT_LE(clicks, clicks_sent);
    std::set<std::string> stored;
    for (auto const& event : events_of(at, "link.created")) stored.insert(text_at(event, "data.short_code"));
    for (auto const& answered : codes) EXPECT_TRUE(stored.contains(answered)) << answered;

    // The read model says the same as the log once it is there.
    auto again = server.client();
    auto const head = text_at(json_of(again.get("/v1/events?limit=1")), "head");
    auto const found = json_of(
        again.get("/v1/links?workspace_id=" + workspace + "&search=" + code + "&wait_ms=5000&after=" + head));
    ASSERT_EQ(found.at("items").as_array().size(), 1u);
    EXPECT_EQ(found.at("items").at(0).at("total_clicks").to_number<int>(), clicks);
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
    EXPECT_GT(clients.clicks_answered, 0);
    EXPECT_GE(events_of(at, "link.clicked").size(), static_cast<std::size_t>(clients.clicks_answered));
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
