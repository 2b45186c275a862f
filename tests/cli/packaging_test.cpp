// What stands around the executable says the same as the executable: .env.example, Dockerfile,
// docker-compose.yml.

#include "cli/configuration.h"
#include "paths.h"

#include <gmock/gmock.h>
#include <re2/re2.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

namespace linkledger::cli {

namespace {

using testing::AnyOf;
using testing::Contains;
using testing::HasSubstr;

std::string const root = LINKLEDGER_SOURCE_DIR;

std::string text_of(std::string const& name) {
    std::ifstream file{root + "/" + name};
    EXPECT_TRUE(file) << name;
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

std::map<std::string, std::string> example_variables() {
    std::map<std::string, std::string> all;
    std::istringstream lines{text_of(".env.example")};
    for (std::string line; std::getline(lines, line);) {
        if (line.empty() || line.starts_with('#')) continue;
        auto const equals = line.find('=');
        EXPECT_NE(equals, std::string::npos) << line;
        EXPECT_TRUE(all.emplace(line.substr(0, equals), line.substr(equals + 1)).second)
            << line << " stands twice";
    }
    return all;
}

/// Those that only docker-compose.yml reads.
std::set<std::string> const of_compose_alone{"PUBLISH",       "PUBLISH_POSTGRES",  "PUBLISH_API_1",
                                             "PUBLISH_API_2", "POSTGRES_PASSWORD", "NATS_PASSWORD",
                                             "REDIS_PASSWORD"};

YAML::Node compose() {
    return YAML::LoadFile(root + "/docker-compose.yml");
}

std::set<std::string> names(YAML::Node const& list) {
    std::set<std::string> all;
    for (auto const& entry : list) all.insert(entry.as<std::string>());
    return all;
}

/// The conditions of a depends_on, its merged ones included.
std::map<std::string, std::string> merged(YAML::Node const& depends_on) {
    std::map<std::string, std::string> all;
    for (auto const& entry : depends_on) {
        if (entry.first.as<std::string>() == "<<")
            all.merge(merged(entry.second));
        else
            all[entry.first.as<std::string>()] = entry.second["condition"].as<std::string>();
    }
    return all;
}

}  // namespace

TEST(EnvExample, HasEveryVariableThatIsReadWithItsDefault) {
    auto const example = example_variables();
    for (auto const& about : known_variables()) {
        ASSERT_THAT(example, Contains(testing::Key(std::string{about.name})));
        EXPECT_EQ(example.at(std::string{about.name}), about.fallback) << about.name;
    }
}

TEST(EnvExample, HasNoVariableThatNothingReads) {
    std::set<std::string> known = of_compose_alone;
    for (auto const& about : known_variables()) known.emplace(about.name);
    for (auto const& [name, value] : example_variables()) EXPECT_THAT(known, Contains(name));
}

TEST(EnvExample, CanBeUsedAsItStands) {
    auto const example = example_variables();
    EXPECT_NO_THROW(
        static_cast<void>(read_configuration([&](std::string const& name) -> std::optional<std::string> {
            if (name == "UAP_REGEXES") return std::nullopt;  // Not on every machine that runs this test.
            auto const found = example.find(name);
            return found == example.end() ? std::nullopt : std::optional{found->second};
        })));
}

TEST(Compose, HasTheEmbeddedShapeAloneWithoutAProfile) {
    std::set<std::string> without;
    for (auto const& service : compose()["services"])
        if (!service.second["profiles"]) without.insert(service.first.as<std::string>());
    EXPECT_EQ(without, std::set<std::string>{"linkledger"});
}

TEST(Compose, MakesTheApiWaitForAHealthyPostgres) {
    auto const services = compose()["services"];
    EXPECT_THAT(names(services["api"]["profiles"]), Contains("postgres"));
    EXPECT_THAT(names(services["postgres"]["profiles"]), Contains("postgres"));
    EXPECT_EQ(services["api"]["depends_on"]["postgres"]["condition"].as<std::string>(), "service_healthy");
    EXPECT_THAT(names(services["postgres"]["healthcheck"]["test"]), Contains("pg_isready"));
}

TEST(Compose, HasAClusterWhoseProcessesWaitForHealthyServers) {
    auto const services = compose()["services"];
    std::set<std::string> cluster;
    for (auto const& service : services)
        if (names(service.second["profiles"]).contains("cluster"))
            cluster.insert(service.first.as<std::string>());
    EXPECT_EQ(cluster, (std::set<std::string>{"api-1", "api-2", "nats", "postgres", "projector", "redis"}));
    for (auto const* const server : {"postgres", "nats", "redis"}) {
        EXPECT_TRUE(services[server]["healthcheck"]["test"].IsSequence()) << server;
        for (auto const* const process : {"api-1", "api-2", "projector"})
            EXPECT_EQ(merged(services[process]["depends_on"])[server], "service_healthy") << process;
    }
    // The first makes the schema and the keys that the others share.
    for (auto const* const process : {"api-2", "projector"})
        EXPECT_EQ(merged(services[process]["depends_on"])["api-1"], "service_healthy") << process;
    EXPECT_EQ(services["projector"]["command"][0].as<std::string>(), "projector");
}

TEST(Compose, RestartsEveryService) {
    auto const file = compose();
    for (auto const& service : file["services"]) {
        auto const node = service.second;
        auto const policy = node["restart"] ? node["restart"] : node["<<"]["restart"];
        EXPECT_EQ(policy.as<std::string>(), "unless-stopped") << service.first;
    }
}

TEST(Compose, GivesTheClusterNothingThatIsNotRead) {
    auto const file = compose();
    std::set<std::string> known;
    for (auto const& about : known_variables()) known.emplace(about.name);
    known.insert("PGPASSWORD");  // libpq's own.
    for (auto const& variable : file["x-cluster"]) {
        auto const name = variable.first.as<std::string>();
        if (name == "<<") continue;
        EXPECT_THAT(known, Contains(name));
    }
    for (auto const* const name : {"DATABASE_URL", "NATS_URL", "REDIS_URL", "PROJECTIONS"})
        EXPECT_TRUE(file["x-cluster"][name].IsDefined()) << name;
}

TEST(Compose, KeepsDataInNamedVolumes) {
    auto const file = compose();
    for (auto const& service : file["services"]) {
        auto const volumes = service.second["volumes"];
        ASSERT_TRUE(volumes && volumes.size() > 0) << service.first;
        for (auto const& volume : volumes) {
            auto const text = volume.as<std::string>();
            EXPECT_TRUE(file["volumes"][text.substr(0, text.find(':'))].IsDefined()) << text;
        }
    }
}

TEST(Compose, HasNoPasswordOfItsOwn) {
    auto const text = text_of("docker-compose.yml");
    re2::StringPiece rest{text};
    std::string value;
    while (RE2::FindAndConsume(&rest, R"((?m)^\s+\w*PASSWORD: (.*)$)", &value))
        EXPECT_THAT(value, AnyOf("${POSTGRES_PASSWORD:-}", "${NATS_PASSWORD:-}", "${REDIS_PASSWORD:-}"));
}

TEST(Compose, NamesOnlyVariablesThatAreDocumented) {
    auto const text = text_of("docker-compose.yml");
    auto const example = example_variables();
    re2::StringPiece rest{text};
    std::string name;
    while (RE2::FindAndConsume(&rest, R"(\$\{(\w+))", &name))
        EXPECT_THAT(example, Contains(testing::Key(name)));
    for (auto const& [variable, value] : compose()["x-environment"].as<std::map<std::string, std::string>>())
        EXPECT_THAT(example, Contains(testing::Key(variable)));
}

TEST(Dockerfile, CopiesWhatExistsAndRunsAsNobodyOfImportance) {
    auto const text = text_of("Dockerfile");
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("COPY ") || line.find("--from") != std::string::npos) continue;
        std::istringstream words{line.substr(5)};
        std::vector<std::string> paths{std::istream_iterator<std::string>{words}, {}};
        paths.pop_back();
        for (auto const& path : paths) EXPECT_TRUE(std::filesystem::exists(root + "/" + path)) << path;
    }
    EXPECT_THAT(text, HasSubstr("\nUSER linkledger\n"));
    EXPECT_THAT(text, HasSubstr("\nHEALTHCHECK "));
    EXPECT_THAT(text, HasSubstr("uap-core"));
}

TEST(Dockerfile, CopiesEveryFolderThatTheExecutableIsMadeOf) {
    auto const text = text_of("Dockerfile");
    auto const cmake = text_of("CMakeLists.txt");
    re2::StringPiece rest{cmake};
    std::string folder;
    while (RE2::FindAndConsume(&rest, R"((?m)^add_subdirectory\((\w+)\))", &folder))
        EXPECT_THAT(text, HasSubstr("\nCOPY " + folder + " " + folder + "\n"));
}

}  // namespace linkledger::cli
