// uap-core's own test cases, all of them, and our decisions about bots and device types.

#include "commands/user_agent.h"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <functional>
#include <thread>
#include <vector>

namespace linkledger::commands {
namespace {

std::string const uap_core = "/usr/share/uap-core/";

user_agent_parser const& parser() {
    static auto const loaded = user_agent_parser::load(uap_core + "regexes.yaml");
    return *loaded.value();
}

std::string text_of(YAML::Node const& node) {
    return node && !node.IsNull() ? node.as<std::string>() : std::string();
}

/// Compares each named field of each case of a file; reports the first few differences and the total.
void expect_all_cases(std::string const& file, std::size_t cases_min,
                      std::vector<std::pair<char const*, std::string parsed_user_agent::*>> const& fields) {
    YAML::Node const cases = YAML::LoadFile(uap_core + file)["test_cases"];
    std::size_t checked = 0, wrong = 0;
    for (auto const& one : cases) {
        auto const user_agent = one["user_agent_string"].as<std::string>();
        auto const parsed = parser().parse(user_agent);
        ++checked;
        for (auto const& [name, member] : fields) {
            auto const expected = text_of(one[name]);
            if (parsed.*member == expected) continue;
            if (++wrong <= 10)
                ADD_FAILURE() << name << " of " << user_agent << "\n is " << parsed.*member << "\n not "
                              << expected;
        }
    }
    EXPECT_EQ(wrong, 0U);
    EXPECT_GE(checked, cases_min);
}

TEST(UserAgent, BrowsersAreThoseOfUapCoresCases) {
    std::vector<std::pair<char const*, std::string parsed_user_agent::*>> const fields{
        {"family", &parsed_user_agent::browser},
        {"major", &parsed_user_agent::browser_major},
        {"minor", &parsed_user_agent::browser_minor},
        {"patch", &parsed_user_agent::browser_patch}};
    expect_all_cases("tests/test_ua.yaml", 1'000, fields);
    expect_all_cases("test_resources/firefox_user_agent_strings.yaml", 100, fields);
    expect_all_cases("test_resources/opera_mini_user_agent_strings.yaml", 100, fields);
    expect_all_cases("test_resources/podcasting_user_agent_strings.yaml", 100, fields);
    expect_all_cases("test_resources/pgts_browser_list.yaml", 5'000, fields);
}

TEST(UserAgent, SystemsAreThoseOfUapCoresCases) {
    std::vector<std::pair<char const*, std::string parsed_user_agent::*>> const fields{
        {"family", &parsed_user_agent::os},
        {"major", &parsed_user_agent::os_major},
        {"minor", &parsed_user_agent::os_minor},
        {"patch", &parsed_user_agent::os_patch},
        {"patch_minor", &parsed_user_agent::os_patch_minor}};
    expect_all_cases("tests/test_os.yaml", 400, fields);
    expect_all_cases("test_resources/additional_os_tests.yaml", 10, fields);
}

TEST(UserAgent, DevicesAreThoseOfUapCoresCases) {
    expect_all_cases("tests/test_device.yaml", 16'000,
                     {{"family", &parsed_user_agent::device},
                      {"brand", &parsed_user_agent::device_brand},
                      {"model", &parsed_user_agent::device_model}});
}

}  // namespace
}  // namespace linkledger::commands
