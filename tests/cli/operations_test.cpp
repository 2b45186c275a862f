// The dashboard and the alert rules name nothing that no process serves.

#include "paths.h"
#include "tests/cli/served.h"
#include "tests/support/nats_server.h"
#include "tests/support/read_file.h"
#include "tests/support/redis_server.h"

#include <gmock/gmock.h>
#include <re2/re2.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <sstream>
#include <thread>

namespace linkledger::test {
namespace {

using testing::HasSubstr;
using testing::IsSupersetOf;

std::string const folder = LINKLEDGER_SOURCE_DIR "/docs/operations/";

/// Of every sample in an answer of /metrics, which must be one that Prometheus takes.
std::set<std::string> names_in(std::string const& metrics) {
    std::set<std::string> names, families;
    std::istringstream lines{metrics};
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("# TYPE ")) {
            EXPECT_TRUE(families.insert(line).second) << line << " stands twice";
        }
        if (line.starts_with('#')) continue;
        auto const name = line.substr(0, line.find_first_of("{ "));
        EXPECT_TRUE(RE2::FullMatch(line, R"([a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})? \S+)")) << line;
        names.insert(name);
    }
    return names;
}

/// What a process without an API serves, once it does.
std::set<std::string> metrics_of(std::string const& subcommand, variables environment) {
    auto const port = free_port();
    environment["LISTEN"] = "127.0.0.1:" + std::to_string(port);
    process const child{{LINKLEDGER_EXECUTABLE, subcommand}, environment};
    http_client client{port};
    auto const until = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    for (;;) {
        try {
            return names_in(client.get("/metrics").body);
        } catch (http_failed const&) {
            if (std::chrono::steady_clock::now() > until) throw;
            std::this_thread::sleep_for(std::chrono::milliseconds{20});
        }
    }
}

/// Everything that a cluster's processes serve.
std::set<std::string> served_names() {
    nats_server const nats;
    redis_server const redis;
    site const at{"postgresql"};
    variables const servers{{"NATS_URL", nats.url()}, {"REDIS_URL", redis.url()}};
    served const api{at, servers};
    auto client = api.client();
    create_link(client, create_workspace(client), "https://example.com/");
    auto names = names_in(client.get("/metrics").body);
    for (auto const* const subcommand : {"relay", "projector"})
        names.merge(metrics_of(subcommand, at.with(servers)));
    names.insert("up");  // Prometheus' own.
    return names;
}

/// A metric's name stands where no label's does, and before no parenthesis.
std::set<std::string> names_in_expression(std::string const& expression) {
    std::set<std::string> names;
    re2::StringPiece rest{expression};
    std::string name;
    while (RE2::FindAndConsume(&rest, R"(\b((?:linkledger|process)_\w+|up)\b)", &name)) names.insert(name);
    return names;
}

std::vector<std::string> expressions_of_dashboard() {
    auto const text = read_file(folder + "dashboard.json");
    std::vector<std::string> all;
    auto const dashboard = boost::json::parse(text);
    for (auto const& panel : dashboard.at("panels").as_array()) {
        auto const* const targets = panel.as_object().if_contains("targets");
        if (targets == nullptr) continue;
        for (auto const& target : targets->as_array()) all.emplace_back(target.at("expr").as_string());
    }
    return all;
}

YAML::Node rules() {
    return YAML::LoadFile(folder + "alerts.yml")["groups"][0]["rules"];
}

}  // namespace

TEST(Operations, TheDashboardAndTheRulesNameMetricsThatAreServed) {
    auto expressions = expressions_of_dashboard();
    EXPECT_GT(expressions.size(), 30u);
    for (auto const& rule : rules()) expressions.push_back(rule["expr"].as<std::string>());
    auto const served = served_names();
    for (auto const& expression : expressions) {
        auto const named = names_in_expression(expression);
        EXPECT_FALSE(named.empty()) << expression;
        EXPECT_THAT(served, IsSupersetOf(named)) << expression;
    }
}

TEST(Operations, EveryRuleSaysHowBadItIsAndWhatItMeans) {
    std::set<std::string> alerts;
    for (auto const& rule : rules()) {
        auto const name = rule["alert"].as<std::string>();
        EXPECT_TRUE(alerts.insert(name).second) << name;
        EXPECT_TRUE(name.starts_with("Linkledger")) << name;
        EXPECT_THAT(rule["labels"]["severity"].as<std::string>(), testing::AnyOf("page", "ticket")) << name;
        EXPECT_FALSE(rule["annotations"]["summary"].as<std::string>().empty()) << name;
    }
    EXPECT_GT(alerts.size(), 10u);
}

TEST(Operations, TheDashboardsPanelsHaveIdsOfTheirOwnAndPlacesThatDoNotOverlap) {
    auto const text = read_file(folder + "dashboard.json");
    auto const dashboard = boost::json::parse(text);
    std::set<std::int64_t> ids;
    std::set<std::pair<std::int64_t, std::int64_t>> taken;
    for (auto const& panel : dashboard.at("panels").as_array()) {
        EXPECT_TRUE(ids.insert(panel.at("id").as_int64()).second);
        auto const& place = panel.at("gridPos");
        for (auto x = place.at("x").as_int64(), end = x + place.at("w").as_int64(); x < end; ++x)
            EXPECT_TRUE(taken.emplace(x, place.at("y").as_int64()).second) << panel.at("title");
    }
}

}  // namespace linkledger::test
