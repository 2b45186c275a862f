// Several processes on one log: relays, projectors, an API process, and what happens when one is killed.
#include "paths.h"
#include "tests/cli/served.h"
#include "tests/support/eventually.h"
#include "tests/support/nats_server.h"

#include <gmock/gmock.h>

#include <csignal>

namespace linkledger::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

/// `linkledger ARGUMENTS…` in the background, once it has said that it runs.
std::unique_ptr<process> start(std::vector<std::string> arguments, variables const& environment) {
    arguments.insert(arguments.begin(), LINKLEDGER_EXECUTABLE);
    auto made = std::make_unique<process>(arguments, environment);
    EXPECT_TRUE(eventually([&] {
        return !made->running() || made->out().find("linkledger 0") != std::string::npos;
    })) << made->err();
    EXPECT_TRUE(made->running()) << made->err();
    return made;
}

void click(http_client& client, std::string const& code) {
    EXPECT_EQ(client.get("/" + code).status, 302);
}

}  // namespace

class Cluster : public OnBothBackends {
protected:
    [[nodiscard]] variables with_nats(variables more = {}) const {
        more["NATS_URL"] = nats_.url();
        return site_.with(std::move(more));
    }
    [[nodiscard]] variables api_variables() const {
        return {{"NATS_URL", nats_.url()}, {"PROJECTIONS", "none"}};
    }
    static std::string clicks_of(http_client& client, std::string const& link, std::string const& after) {
        return text_at(json_of(client.get("/v1/links/" + link + "?wait_ms=5000&after=" + after)),
                       "total_clicks");
    }
    static std::string head_of(http_client& client) {
        return text_at(json_of(client.get("/v1/events?limit=1")), "head");
    }

    nats_server nats_;
    site site_{GetParam()};
};
LINKLEDGER_ON_BOTH_BACKENDS(Cluster);

TEST_P(Cluster, AnotherProjectorTakesOverFromOneThatIsKilled) {
    served api{site_, api_variables()};
    auto client = api.client();
    auto first = start({"projector"}, with_nats());
    auto second = start({"projector"}, with_nats());
    auto const workspace = create_workspace(client);
    auto const made = json_of(client.command(
        "CreateLink", R"({"workspace_id":")" + workspace + R"(","url":"https://example.com"})"));
    auto const link = text_at(made, "result.link_id");
    auto const code = text_at(made, "result.short_code");
    for (int i = 1; i <= 3; ++i) click(client, code);
    EXPECT_EQ(clicks_of(client, link, head_of(client)), "3");
    // Both in turn, so that the one that runs is killed whichever it is.
    first->signal(SIGKILL);
    first->wait();
    for (int i = 1; i <= 3; ++i) click(client, code);
    EXPECT_EQ(clicks_of(client, link, head_of(client)), "6");
    first = start({"projector", "--only", "links,accounts"}, with_nats());
    second->signal(SIGKILL);
    second->wait();
    click(client, code);
    EXPECT_EQ(clicks_of(client, link, head_of(client)), "7");
    first->signal(SIGTERM);
    EXPECT_EQ(first->wait().exit_code, 0);
}

TEST_P(Cluster, MirrorsTheLogWhateverIsKilled) {
    served api{site_, api_variables()};
    auto client = api.client();
    auto relay = start({"relay"}, with_nats());
    create_workspace(client);
    relay->signal(SIGKILL);
    relay->wait();
    create_workspace(client, "second");
    nats_.kill9();
    create_workspace(client, "third");  // Nobody waits for the mirror.
    nats_.start();
    auto const port = free_port();
    relay = start({"relay"}, with_nats({{"LISTEN", "127.0.0.1:" + std::to_string(port)}}));
    ASSERT_TRUE(eventually([&] {
        return linkledger({"mirror", "verify"}, with_nats()).exit_code == 0;
    })) << linkledger({"mirror", "verify"}, with_nats()).out
        << nats_.log_tail();
    http_client of_relay{port};
    EXPECT_THAT(of_relay.get("/metrics").body, HasSubstr("linkledger_mirror_position"));
    EXPECT_EQ(of_relay.get("/readyz").status, 200);
    EXPECT_THAT(client.get("/metrics").body, HasSubstr("linkledger_mirror_repairs_total"));
    EXPECT_THAT(client.get("/readyz").body, HasSubstr("\"mirror\""));
    relay->signal(SIGTERM);
    EXPECT_EQ(relay->wait().exit_code, 0);
}

TEST_P(Cluster, TheMirrorIsShownVerifiedAndMadeAnew) {
    { served const api{site_}; }
    auto const log_alone = linkledger({"mirror", "status", "--json"}, with_nats());
    EXPECT_EQ(log_alone.exit_code, 1);
    EXPECT_THAT(log_alone.out, HasSubstr("there is no stream"));
    EXPECT_EQ(linkledger({"mirror", "verify"}, with_nats()).exit_code, 1);
    auto const repaired = linkledger({"mirror", "repair"}, with_nats());
    EXPECT_EQ(repaired.exit_code, 0) << repaired.err;
    auto const status = linkledger({"mirror", "status", "--json"}, with_nats());
    EXPECT_EQ(status.exit_code, 0) << status.err;
    EXPECT_THAT(status.out, HasSubstr(R"("lag_events":0)"));
    auto const verified = linkledger({"mirror", "verify", "--json"}, with_nats());
    EXPECT_EQ(verified.exit_code, 0) << verified.out;
    EXPECT_THAT(verified.out, HasSubstr(R"("difference":null)"));
    EXPECT_EQ(linkledger({"mirror", "status"}, site_.environment()).exit_code, 2);
}

TEST_P(Cluster, ListsNoParkedEventsWhereThereAreNone) {
    { served const api{site_}; }
    auto const listed = linkledger({"parked", "list", "--json"}, site_.environment());
    EXPECT_EQ(listed.exit_code, 0) << listed.err;
    EXPECT_EQ(listed.out, "[]\n");
    EXPECT_EQ(linkledger({"parked", "retry"}, site_.environment()).exit_code, 0);
    auto const skipped =
        linkledger({"parked", "skip", "--projection", "links", "--position", "1"}, site_.environment());
    EXPECT_EQ(skipped.exit_code, 1);
    EXPECT_EQ(
        linkledger({"parked", "skip", "--projection", "nothing", "--position", "1"}, site_.environment())
            .exit_code,
        2);
}

TEST(ExampleConsumer, ReadsTheMirrorWithNothingOfOurs) {
    nats_server const nats;
    site const at{"sqlite"};
    served api{at, {{"NATS_URL", nats.url()}}};
    auto client = api.client();
    create_link(client, create_workspace(client), "https://example.com/ü\\\"");
    auto const head = text_at(json_of(client.get("/v1/events?limit=1")), "head");
    auto const consume = [&](std::vector<std::string> more) {
        std::vector<std::string> command{"/usr/bin/python3",
                                         std::string{LINKLEDGER_SOURCE_DIR} + "/docs/examples/consumer.py",
                                         "--url", nats.url()};
        command.insert(command.end(), more.begin(), more.end());
        return process{command, {}}.wait();
    };
    ASSERT_TRUE(eventually([&] {
        auto const status = linkledger({"mirror", "status"}, at.with({{"NATS_URL", nats.url()}}));
        return status.exit_code == 0 && status.out.find("whole") != std::string::npos;
    }));
    auto const all = consume({"--count", head});
    EXPECT_EQ(all.exit_code, 0) << all.err;
    EXPECT_THAT(all.out, HasSubstr("link.created link-"));
    EXPECT_EQ(std::to_string(std::count(all.out.begin(), all.out.end(), '\n')), head);
    auto const some = consume({"--count", "1", "--type", "workspace.created"});
    EXPECT_EQ(some.exit_code, 0) << some.err;
    EXPECT_THAT(some.out, HasSubstr("\"slug\": \"acme\""));
}

}  // namespace linkledger::test
