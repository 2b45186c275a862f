// `linkledger rebuild`, `switch` and `drop` beside a running server, on a log whose read model is of the
// version before.

#include "paths.h"
#include "projections/builds.h"
#include "projections/registry.h"
#include "tests/cli/served.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <thread>

namespace linkledger::test {
namespace {

using projections::build_state;
using testing::HasSubstr;
using testing::Not;

std::unique_ptr<projections::read_store> store_of(site const& at) {
    auto const& environment = at.environment();
    if (environment.contains("DATABASE_URL"))
        return projections::create_postgres_read_store(environment.at("DATABASE_URL"));
    return projections::create_sqlite_read_store(environment.at("DB_PATH"));
}

/// What an executable that knew version 1 alone left behind: its tables are live, those of version 2 empty.
void leave_links_in_version_1(site const& at) {
    ASSERT_EQ(linkledger({"migrate", "up"}, at.environment()).exit_code, 0);
    auto const store = store_of(at);
    for (auto const& each : projections::create_all()) {
        if (each->name() != "links" || each->version() != 1) continue;
        auto const tables = store->open_writer("links", 1);
        projections::add_build(*store->open_control(),
                               {"links", 1, build_state::live, projections::fingerprint_of(*each, *tables)});
    }
}

std::string links_of(served& at, std::int64_t after) {
    auto const answer = at.client().get("/v1/links?sort=title&after=" + std::to_string(after));
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.body;
}

std::int64_t head_of(served& at) {
    return json_of(at.client().get("/v1/events?limit=1")).at("head").to_number<std::int64_t>();
}

class RebuildCommand : public OnBothBackends {
protected:
    void click(served& at, std::string const& code, int times) {
        http_client visitor{at.port()};
        for (int i = 0; i < times; ++i) EXPECT_EQ(visitor.get("/" + code).status, 302);
    }
};
LINKLEDGER_ON_BOTH_BACKENDS(RebuildCommand);

TEST_P(RebuildCommand, BuildsTheNextVersionBesideAServerSwitchesAndGoesBack) {
    site const at{GetParam()};
    leave_links_in_version_1(at);
    served running{at};
    auto client = running.client();
    auto const workspace = create_workspace(client);
    auto const code = create_link(client, workspace, "https://example.com/");
    click(running, code, 20);
    EXPECT_THAT(links_of(running, head_of(running)), HasSubstr(R"("total_clicks":20)"));
    EXPECT_THAT(links_of(running, head_of(running)), HasSubstr(R"("clicks_by_country":null)"));

    std::atomic<bool> over = false;
    std::atomic<int> failed = 0;
    std::thread visitor{[&] {
        for (http_client someone{running.port()}; !over;) {
            if (someone.get("/" + code).status != 302) ++failed;
        }
    }};
    std::thread reader{[&] {
        for (auto reading = running.client(); !over;) {
            if (reading.get("/v1/links").status != 200) ++failed;
        }
    }};
    auto const built = linkledger({"rebuild", "links"}, at.environment());
    EXPECT_EQ(built.exit_code, 0) << built.out << built.err;
    EXPECT_THAT(built.out, HasSubstr("links v2 is live"));
    EXPECT_THAT(built.out, Not(HasSubstr("differs")));
    auto const back = linkledger({"switch", "links", "1"}, at.environment());
    EXPECT_EQ(back.exit_code, 0) << back.err;
    auto const forth = linkledger({"switch", "links", "2"}, at.environment());
    EXPECT_EQ(forth.exit_code, 0) << forth.err;
    over = true;
    visitor.join();
    reader.join();
    EXPECT_EQ(failed, 0);

    EXPECT_THAT(links_of(running, head_of(running)), HasSubstr(R"("clicks_by_country":{})"));
    auto const shown = linkledger({"projections", "--json"}, at.environment());
    EXPECT_THAT(shown.out, HasSubstr(R"("name":"links","version":2,"build":1,"live":true)"));
    EXPECT_THAT(shown.out, HasSubstr(R"("name":"links","version":1,"build":1,"live":false)"));
    EXPECT_EQ(linkledger({"drop", "links", "2"}, at.environment()).exit_code, 1) << "it is live";
    auto const dropped = linkledger({"drop", "links", "1"}, at.environment());
    EXPECT_EQ(dropped.exit_code, 0) << dropped.err;
    EXPECT_EQ(linkledger({"audit", "verify", "--read-models"}, at.environment()).exit_code, 0);
}

TEST_P(RebuildCommand, IsAskedForOverHttpAndShowsHowItGoes) {
    site const at{GetParam()};
    served running{at};
    auto client = running.client();
    auto const code = create_link(client, create_workspace(client), "https://example.com/");
    click(running, code, 5);
    links_of(running, head_of(running));
    EXPECT_EQ(client.send("POST", "/v1/projections/nothing/rebuild").status, 409);
    auto const asked = client.send("POST", "/v1/projections/links/rebuild");
    EXPECT_EQ(asked.status, 202) << asked.body;
    auto const is_done = [&] {
        auto const all = json_of(client.get("/v1/projections")).at("rebuilds").as_array();
        return std::any_of(all.begin(), all.end(), [](auto const& each) {
            return each.at("name").as_string() == "links" && each.at("phase").as_string() == "done";
        });
    };
    auto const until = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    while (!is_done() && std::chrono::steady_clock::now() < until)
        std::this_thread::sleep_for(std::chrono::milliseconds{50});
    EXPECT_TRUE(is_done());
    EXPECT_THAT(client.get("/metrics").body,
                HasSubstr("linkledger_rebuild_target_position{projection=\"links\""));
    EXPECT_THAT(links_of(running, head_of(running)), HasSubstr(R"("total_clicks":5)"));
}

TEST_P(RebuildCommand, GoesOnAfterKillsAndGivesWhatAFoldInOrderGives) {
    site const at{GetParam()};
    leave_links_in_version_1(at);
    auto const made = linkledger(
        {"bench", "generate", "--events", "20000", "--links", "400", "--visitors", "3000", "--days", "3"},
        at.environment());
    ASSERT_EQ(made.exit_code, 0) << made.err;
    {
        served running{at};
        links_of(running, head_of(running));
        EXPECT_EQ(running.stop().exit_code, 0);
    }
    int kills = 0;
    for (int round = 0; round < 4; ++round) {
        process building{{LINKLEDGER_EXECUTABLE, "rebuild", "links", "--max-rate", "15000"},
                         at.environment()};
        std::this_thread::sleep_for(std::chrono::milliseconds{300 + 100 * round});
        if (!building.running()) break;
        building.signal(SIGKILL);
        building.wait();
        ++kills;
    }
    EXPECT_GT(kills, 0);
    auto const built = linkledger({"rebuild", "links"}, at.environment());
    EXPECT_EQ(built.exit_code, 0) << built.out << built.err;
    EXPECT_THAT(built.out, HasSubstr("links v2 is live"));
    EXPECT_THAT(built.out, Not(HasSubstr("differs"))) << "every row is as in version 1";
    EXPECT_EQ(linkledger({"audit", "verify", "--read-models"}, at.environment()).exit_code, 0);
}

}  // namespace
}  // namespace linkledger::test
