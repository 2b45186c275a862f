// Real-time counters as a cluster serves them: API and projector processes, NATS and Redis, and what is lost.
#include "paths.h"
#include "tests/cli/served.h"
#include "tests/support/eventually.h"
#include "tests/support/nats_server.h"
#include "tests/support/redis_server.h"

#include <gmock/gmock.h>

#include <atomic>
#include <csignal>
#include <thread>

namespace linkledger::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

std::unique_ptr<process> start_projector(variables const& environment) {
    auto made =
        std::make_unique<process>(std::vector<std::string>{LINKLEDGER_EXECUTABLE, "projector"}, environment);
    EXPECT_TRUE(eventually([&] {
        return !made->running() || made->out().find("linkledger 0") != std::string::npos;
    })) << made->err();
    EXPECT_TRUE(made->running()) << made->err();
    return made;
}

std::string head_of(http_client& client) {
    return text_at(json_of(client.get("/v1/events?limit=1")), "head");
}

}  // namespace

class RealtimeCluster : public OnBothBackends {
protected:
    [[nodiscard]] variables shared() const {
        return {{"NATS_URL", nats_.url()}, {"REDIS_URL", redis_.url()}};
    }
    [[nodiscard]] variables api_variables() const {
        auto made = shared();
        made["PROJECTIONS"] = "none";
        return made;
    }
    [[nodiscard]] variables projector_variables() const { return site_.with(shared()); }

    void make_link(http_client& client) {
        workspace_ = create_workspace(client);
        auto const made = json_of(client.command(
            "CreateLink", R"({"workspace_id":")" + workspace_ + R"(","url":"https://example.com"})"));
        link_ = text_at(made, "result.link_id");
        code_ = text_at(made, "result.short_code");
        // Reads check the link in its read model.
        EXPECT_TRUE(eventually([&] { return client.get("/v1/links/" + link_).status == 200; }));
    }
    void click(http_client& client, int times) {
        for (int i = 0; i < times; ++i) {
            EXPECT_EQ(client.get("/" + code_).status, 302);
            ++clicks_;
        }
    }
    /// What Redis says of the link, as other programs read it.
    [[nodiscard]] std::string in_redis() const {
        try {
            return redis_.call({"GET", "clicks:realtime:" + link_}).text_or_empty();
        } catch (redis::error const&) {
            return "away";
        }
    }
    void expect_redis_has_them() {
        EXPECT_TRUE(eventually([&] { return in_redis() == std::to_string(clicks_); }))
            << in_redis() << " in place of " << clicks_;
        EXPECT_EQ(redis_.call({"GET", "clicks:realtime:total:" + workspace_}).text_or_empty(),
                  std::to_string(clicks_));
    }
    /// The same by HTTP, whatever Redis does.
    void expect_api_has_them(http_client& client) {
        auto const after = "?after=" + head_of(client);
        for (auto const& of : {"/v1/links/" + link_, "/v1/workspaces/" + workspace_}) {
            http_answer answer;
            EXPECT_TRUE(eventually([&] {
                answer = client.get(of + "/realtime" + after);
                return answer.status == 200;
            }));
            EXPECT_EQ(text_at(json_of(answer), "count"), std::to_string(clicks_));
        }
    }

    nats_server nats_;
    redis_server redis_{"s3cret/pass"};
    site site_{GetParam()};
    std::string workspace_, link_, code_;
    int clicks_ = 0;
};
LINKLEDGER_ON_BOTH_BACKENDS(RealtimeCluster);

TEST_P(RealtimeCluster, CountsOnceWhateverIsKilledOrLost) {
    served api{site_, api_variables()};
    auto client = api.client();
    auto projector = start_projector(projector_variables());
    auto standby = start_projector(projector_variables());
    make_link(client);
    click(client, 5);
    expect_redis_has_them();

    projector->signal(SIGKILL);
    projector->wait();
    click(client, 5);
    projector = start_projector(projector_variables());
    standby->signal(SIGKILL);
    standby->wait();
    click(client, 5);
    expect_redis_has_them();
    expect_api_has_them(client);

    redis_.call({"SAVE"});
    click(client, 5);
    expect_redis_has_them();
    redis_.call({"FLUSHALL"});
    expect_api_has_them(client);
    expect_redis_has_them();
    redis_.kill9();
    click(client, 5);
    expect_api_has_them(client);
    redis_.start();  // With the snapshot of before.
    expect_redis_has_them();
    expect_api_has_them(client);
    api.stop();
    EXPECT_THAT(api.child().err(), Not(HasSubstr("s3cret")));
    EXPECT_THAT(projector->err(), Not(HasSubstr("s3cret")));
}

TEST_P(RealtimeCluster, GoesOnWithoutRedisAndSaysSo) {
    redis_.stop();
    served api{site_, {{"REDIS_URL", redis_.url()}}};
    auto client = api.client();
    make_link(client);
    click(client, 3);
    expect_api_has_them(client);
    auto const degraded = client.get("/readyz");
    EXPECT_EQ(degraded.status, 200);
    EXPECT_THAT(degraded.body, HasSubstr("\"degraded\""));
    EXPECT_THAT(degraded.body, HasSubstr("\"redis\""));
    EXPECT_THAT(degraded.body, Not(HasSubstr("s3cret")));
    redis_.start();
    expect_redis_has_them();
    EXPECT_TRUE(eventually([&] {
        return client.get("/readyz").body.find("\"degraded\"") == std::string::npos;
    })) << client.get("/readyz").body;
    EXPECT_THAT(client.get("/metrics").body, HasSubstr("linkledger_redis_up 1"));
}

TEST_P(RealtimeCluster, RedirectsAndCountsWhileRedisComesAndGoes) {
    served api{site_, {{"REDIS_URL", redis_.url()}}};
    auto client = api.client();
    make_link(client);
    std::jthread trouble{[&](std::stop_token const& stop) {
        for (int i = 0; !stop.stop_requested(); ++i) {
            i % 2 == 0 ? redis_.kill9() : redis_.pause();
            std::this_thread::sleep_for(60ms);
            i % 2 == 0 ? redis_.start() : redis_.resume();
            std::this_thread::sleep_for(60ms);
        }
    }};
    auto const until = std::chrono::steady_clock::now() + 3s;
    while (std::chrono::steady_clock::now() < until) click(client, 10);
    expect_api_has_them(client);
    trouble.request_stop();
    trouble.join();
    // A server ends with the thread that started it.
    redis_.kill9();
    redis_.start();
    expect_redis_has_them();
}

}  // namespace linkledger::test
