// Redirects while PostgreSQL is away: known links go on, and the log has every click afterwards, once.

#include "tests/cli/load.h"
#include "tests/cli/served.h"
#include "tests/support/postgres_server.h"
#include "tests/support/redis_server.h"

#include <gmock/gmock.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>

namespace linkledger::test {

namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;

constexpr auto patience = std::chrono::seconds{60};

std::string readiness(http_client& client) {
    return text_at(json_of(client.get("/readyz")), "status");
}

/// A server on a PostgreSQL of its own, with a link that it knows.
class Outage : public testing::Test {
protected:
    void start(variables more = {}) {
        server_ = std::make_unique<served>(at_, std::move(more));
        auto client = server_->client();
        workspace_ = create_workspace(client);
        code_ = create_link(client, workspace_, "https://a.example/");
        ASSERT_EQ(click("first"), 302);
    }
    int click(std::string const& campaign) { return click(code_, campaign); }
    int click(std::string const& code, std::string const& campaign) {
        auto client = server_->client();
        auto const status = client.get("/" + code + "?utm_campaign=" + campaign).status;
        if (status == 302) answered_.insert(campaign);
        return status;
    }
    std::string capped_link(int max_clicks) {
        auto client = server_->client();
        auto const made = client.command("CreateLink", R"({"workspace_id":")" + workspace_ +
                                                           R"(","url":"https://c.example/","max_clicks":)" +
                                                           std::to_string(max_clicks) + "}");
        return text_at(json_of(made), "result.short_code");
    }
    void wait_until(std::string const& status) {
        auto const until = std::chrono::steady_clock::now() + patience;
        std::string now;
        while (std::chrono::steady_clock::now() < until) {
            auto client = server_->client();
            try {
                now = readiness(client);
            } catch (http_failed const&) {
                now = "not there";  // From one server of the process to the next.
            }
            if (now == status) return;
            std::this_thread::sleep_for(20ms);
        }
        FAIL() << "still " << now << ": " << server_->child().err();
    }
    double metric(std::string const& name) {
        auto const text = server_->client().get("/metrics").body;
        auto const at = text.find("\n" + name + " ");
        return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
    }
    void wait_until_spool_is_empty() {
        auto const until = std::chrono::steady_clock::now() + patience;
        while (metric("linkledger_spool_clicks") != 0 && std::chrono::steady_clock::now() < until)
            std::this_thread::sleep_for(20ms);
    }
    void expect_every_click_once() {
        auto const recorded = recorded_clicks(at_);
        EXPECT_THAT(missing(answered_, recorded), IsEmpty());
        EXPECT_EQ(recorded.size(), answered_.size());
    }

    postgres_server database_;
    site at_{"postgresql", database_.fresh_database()};
    std::unique_ptr<served> server_;
    std::string workspace_, code_;
    std::set<std::string> answered_;
};

}  // namespace

struct fault_case {
    char const* name;
    void (*begin)(postgres_server&);
    void (*end)(postgres_server&);
};

class OutageUnderLoad : public Outage, public testing::WithParamInterface<fault_case> {};

INSTANTIATE_TEST_SUITE_P(
    Of, OutageUnderLoad,
    testing::Values(fault_case{"ADatabaseThatStandsStill", [](postgres_server& d) { d.pause(); },
                               [](postgres_server& d) { d.resume(); }},
                    fault_case{"ADatabaseThatIsKilled", [](postgres_server& d) { d.kill9(); },
                               [](postgres_server& d) { d.start(); }},
                    fault_case{"ADatabaseThatRestarts", [](postgres_server& d) { d.stop(); },
                               [](postgres_server& d) { d.start(); }}),
    [](auto const& of) { return std::string{of.param.name}; });

TEST_P(OutageUnderLoad, KeepsRedirecting) {
    start();
    load clients{server_->port(), at_.key(), workspace_, code_, 0};
    std::this_thread::sleep_for(500ms);
    GetParam().begin(database_);
    std::this_thread::sleep_for(3s);
    EXPECT_EQ(metric("linkledger_spool_active"), 1);
    EXPECT_GT(metric("linkledger_spool_clicks"), 0);
    EXPECT_GT(metric("linkledger_spool_age_seconds"), 0);
    auto client = server_->client();
    EXPECT_EQ(readiness(client), "degraded");
    GetParam().end(database_);
    std::this_thread::sleep_for(2s);
    clients.join();
    EXPECT_EQ(clients.unexpected, 0);
    EXPECT_EQ(clients.clicks_refused, 0);
    EXPECT_GT(clients.clicks().size(), 100u);
    answered_.insert(clients.clicks().begin(), clients.clicks().end());
    wait_until("ready");
    EXPECT_EQ(metric("linkledger_spool_clicks"), 0);
    EXPECT_EQ(metric("linkledger_spool_spooled_total"),
              metric("linkledger_spool_sent_total") + metric("linkledger_spool_settled_total"));
    expect_every_click_once();
}

TEST_F(Outage, KeepsClicksThroughTheDeathOfTheServer) {
    start();
    database_.pause();
    for (int i = 0; i < 50; ++i) ASSERT_EQ(click("c" + std::to_string(i)), 302);
    server_->kill9();
    database_.resume();
    server_->start();
    wait_until("ready");
    wait_until_spool_is_empty();
    expect_every_click_once();
}

TEST_F(Outage, RefusesLinksWithMaxClicksWhichCannotBeDecidedAlone) {
    start();
    auto const capped = capped_link(5);
    ASSERT_EQ(click(capped, "one"), 302);
    database_.kill9();
    ASSERT_EQ(click("spooled"), 302);
    auto const refused = server_->client().get("/" + capped);
    EXPECT_EQ(refused.status, 503);
    EXPECT_TRUE(refused.headers.contains("retry-after"));
    database_.start();
    wait_until("ready");
    EXPECT_EQ(click(capped, "two"), 302);
    expect_every_click_once();
}

TEST_F(Outage, LetsLinksWithMaxClicksThroughWhereThatIsConfiguredAndShowsTheExcess) {
    start({{"SPOOL_CAPPED", "redirect"}});
    auto const capped = capped_link(2);
    ASSERT_EQ(click(capped, "one"), 302);
    database_.kill9();
    ASSERT_EQ(click("spooled"), 302);
    std::this_thread::sleep_for(1100ms);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(click(capped, "beyond" + std::to_string(i)), 302);
    EXPECT_EQ(metric("linkledger_spool_beyond_caps_total"), 3);
    database_.start();
    wait_until("ready");
    expect_every_click_once();
    EXPECT_EQ(server_->client().get("/" + capped).status, 410);
}

TEST_F(Outage, RefusesLinksWhoseStateIsTooOld) {
    start({{"STALE_MAX", "2"}});
    database_.pause();
    EXPECT_EQ(click("fresh"), 302);
    std::this_thread::sleep_for(3s);
    EXPECT_EQ(click("stale"), 503);
    database_.resume();
    wait_until("ready");
    EXPECT_EQ(click("again"), 302);
    expect_every_click_once();
}

TEST_F(Outage, FollowsThemAllTheSameWhereThatIsConfigured) {
    start({{"STALE_MAX", "2"}, {"STALE_LINKS", "redirect"}});
    database_.pause();
    std::this_thread::sleep_for(4s);
    EXPECT_EQ(click("stale"), 302);
    database_.resume();
    wait_until("ready");
    expect_every_click_once();
}

TEST_F(Outage, AnswersUnknownLinksAtOnce) {
    start();
    database_.pause();
    ASSERT_EQ(click("spooled"), 302);
    std::this_thread::sleep_for(1100ms);  // A pause that is shorter is waited for.
    auto const began = std::chrono::steady_clock::now();
    EXPECT_EQ(server_->client().get("/nobody").status, 503);
    EXPECT_LT(std::chrono::steady_clock::now() - began, 2s) << "without a wait for the database";
    database_.resume();
    wait_until("ready");
}

TEST_F(Outage, StartsWithoutTheDatabaseFromTheLinksItKnew) {
    start();
    auto creating = server_->client();
    auto const other = create_link(creating, workspace_, "https://b.example/");
    ASSERT_EQ(server_->stop().exit_code, 0);
    database_.kill9();
    server_->start();
    EXPECT_EQ(click("cold"), 302);
    EXPECT_EQ(click(other, "known-too"), 302);
    auto client = server_->client();
    EXPECT_EQ(readiness(client), "degraded");
    EXPECT_EQ(client.get("/nobody").status, 503);
    EXPECT_EQ(client.command("CreateWorkspace", R"({"name":"B","slug":"b"})").status, 503);
    database_.start();
    wait_until("ready");
    EXPECT_EQ(click("warm"), 302);
    wait_until_spool_is_empty();
    expect_every_click_once();
    EXPECT_EQ(server_->stop().exit_code, 0);
}

TEST_F(Outage, WithoutASpoolIsAnsweredWith503) {
    start({{"SPOOL", "off"}});
    database_.kill9();
    EXPECT_EQ(click("refused"), 503);
    EXPECT_EQ(server_->client().get("/readyz").status, 503);
    database_.start();
    wait_until("ready");
    expect_every_click_once();
}

TEST_F(Outage, OfRedisIsNotNoticedByVisitors) {
    redis_server redis;
    start({{"REDIS_URL", redis.url()}});
    redis.kill9();
    for (int i = 0; i < 20; ++i) EXPECT_EQ(click("c" + std::to_string(i)), 302);
    auto client = server_->client();
    EXPECT_EQ(readiness(client), "degraded");
    expect_every_click_once();
}

/// KILL_ROUNDS: the long version, whose figures stand in bench/README.md.
TEST_F(Outage, KillsOfAnythingUnderLoadLoseNothing) {
    char const* const told = std::getenv("KILL_ROUNDS");
    int const rounds = told ? std::max(1, std::atoi(told)) : 3;
    auto const seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random{seed};
    redis_server redis;
    start({{"REDIS_URL", redis.url()}});
    std::set<std::string> links;
    int refused = 0;
    for (int round = 0; round < rounds; ++round) {
        load clients{server_->port(), at_.key(), workspace_, code_, round};
        std::this_thread::sleep_for(std::chrono::milliseconds{200 + random() % 600});
        int const victim = std::array{0, 1, 2}[random() % 3];
        if (victim == 0) server_->kill9();
        if (victim == 1) database_.kill9();
        if (victim == 2) redis.kill9();
        std::this_thread::sleep_for(std::chrono::milliseconds{random() % 1'000});
        // The server may start while the database is away: not here, where each is back before the next
        // round.
        if (victim == 1) database_.start();
        if (victim == 2) redis.start();
        std::this_thread::sleep_for(std::chrono::milliseconds{random() % 300});
        clients.join();
        if (victim == 0) server_->start();
        EXPECT_EQ(clients.unexpected, 0);
        refused += clients.clicks_refused;
        answered_.insert(clients.clicks().begin(), clients.clicks().end());
        links.insert(clients.codes().begin(), clients.codes().end());
    }
    wait_until("ready");
    wait_until_spool_is_empty();
    auto const recorded = recorded_clicks(at_);
    std::set<std::string> created;
    for (auto const& event : events_of(at_, "link.created"))
        created.insert(text_at(event, "data.short_code"));
    EXPECT_THAT(missing(answered_, recorded), IsEmpty());
    EXPECT_THAT(missing(links, created), IsEmpty());
    std::printf(
        "%d rounds of kill -9 of server, PostgreSQL or Redis: clicks answered %zu, recorded %zu, missing "
        "%zu, "
        "refused %d; links answered %zu, recorded %zu, missing %zu\n",
        rounds, answered_.size(), recorded.size(), missing(answered_, recorded).size(), refused, links.size(),
        created.size(), missing(links, created).size());
}

}  // namespace linkledger::test
