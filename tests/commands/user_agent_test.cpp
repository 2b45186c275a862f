// uap-core's own test cases, all of them, and our decisions about bots and device types.

#include "commands/user_agent.h"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <utility>
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

struct decision {
    std::string user_agent;
    std::optional<std::string> device_type;
    bool is_bot;
};

void expect_decisions(std::vector<decision> const& decisions) {
    for (auto const& [user_agent, device_type, is_bot] : decisions) {
        auto const facts = parser().facts_of(user_agent);
        EXPECT_EQ(facts.is_bot, is_bot) << user_agent;
        EXPECT_EQ(facts.device_type, device_type) << user_agent;
    }
}

TEST(UserAgent, DeclaredCrawlersMonitorsAndPreviewersAreBots) {
    std::vector<decision> const bots{
        {"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", {}, true},
        {"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) "
         "Chrome/41.0.2272.96 Mobile Safari/537.36 (compatible; Googlebot/2.1; "
         "+http://www.google.com/bot.html)",
         {},
         true},
        {"facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", {}, true},
        {"Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", {}, true},
        {"Twitterbot/1.0", {}, true},
        {"WhatsApp/2.19.81 A", {}, true},
        {"TelegramBot (like TwitterBot)", {}, true},
        {"Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)", {}, true},
        {"Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)", {}, true},
        {"Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", {}, true},
        {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/90.0.4430.72 "
         "Safari/537.36",
         {},
         true},
        {"GPTBot/1.0 (+https://openai.com/gptbot)", {}, true},
    };
    expect_decisions(bots);
}

TEST(UserAgent, PeopleWithToolsOrOddPhonesAreNoBots) {
    std::vector<decision> const people{
        {"", {}, false},
        {"curl/7.88.1", {}, false},
        {"Wget/1.21.3", {}, false},
        {"HTTPie/3.2.1", {}, false},
        {"python-requests/2.28.1", {}, false},
        {"something nobody knows", {}, false},
        {"Mozilla/5.0 (Linux; Android 7.0; CUBOT_NOTE_S Build/NRD90M) AppleWebKit/537.36 (KHTML, like Gecko) "
         "Chrome/60.0.3112.116 Mobile Safari/537.36",
         "mobile", false},
    };
    expect_decisions(people);
}

TEST(UserAgent, DeviceTypesFollowTheSystemAndItsWords) {
    std::vector<decision> const devices{
        {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 "
         "Safari/537.36",
         "desktop", false},
        {"Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0; Tablet PC 2.0)", "desktop", false},
        {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
         "Version/17.1 "
         "Safari/605.1.15",
         "desktop", false},
        {"Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/119.0", "desktop", false},
        {"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 "
         "Safari/537.36",
         "desktop", false},
        {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
         "Version/17.1 Mobile/15E148 Safari/604.1",
         "mobile", false},
        {"Mozilla/5.0 (Linux; Android 13; Pixel 7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 "
         "Mobile "
         "Safari/537.36",
         "mobile", false},
        {"Nokia6300/2.0 (05.00) Profile/MIDP-2.0 Configuration/CLDC-1.1", "mobile", false},
        {"Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
         "Version/16.6 "
         "Mobile/15E148 Safari/604.1",
         "tablet", false},
        {"Mozilla/5.0 (Linux; Android 12; SM-T970) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 "
         "Safari/537.36",
         "tablet", false},
        {"Mozilla/5.0 (Android 13; Tablet; rv:109.0) Gecko/119.0 Firefox/119.0", "tablet", false},
        {"Mozilla/5.0 (SMART-TV; Linux; Tizen 5.0) AppleWebKit/538.1 (KHTML, like Gecko) Version/5.0 TV "
         "Safari/538.1",
         {},
         false},
        {"Mozilla/5.0 (PlayStation 4 3.11) AppleWebKit/537.73 (KHTML, like Gecko)", {}, false},
    };
    expect_decisions(devices);
}

TEST(UserAgent, FactsJoinVersionsAndLeaveTheUnknownEmpty) {
    auto const firefox =
        parser().facts_of("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:15.0) Gecko/20100101 Firefox/15.0.1");
    EXPECT_EQ(firefox.browser, "Firefox");
    EXPECT_EQ(firefox.browser_version, "15.0.1");
    EXPECT_EQ(firefox.os, "Ubuntu");
    EXPECT_EQ(firefox.os_version, std::nullopt);
    client_facts const nothing;
    EXPECT_EQ(parser().facts_of("something nobody knows"), nothing);
    EXPECT_EQ(parser().facts_of(""), nothing);
}

TEST(UserAgent, AnyBytesAndAnyLengthAreParsed) {
    constexpr char bytes[] = "\xff\xfe\0\n Mozilla/5.0 (\xc3\x28; Android 9; \x80)";
    std::string const binary{bytes, sizeof bytes - 1};
    EXPECT_EQ(parser().facts_of(binary).os, "Android");
    std::string const cut = std::string(user_agent_parser::bytes_max, 'x') + " Firefox/15.0.1";
    EXPECT_EQ(parser().facts_of(cut).browser, std::nullopt);
}

TEST(UserAgent, AFileThatCannotBeUsedIsNamed) {
    auto const missing = user_agent_parser::load("/nonexistent/regexes.yaml");
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().detail.find("/nonexistent/regexes.yaml"), std::string::npos);
    auto const other = user_agent_parser::load(uap_core + "tests/test_os.yaml");
    ASSERT_FALSE(other);
    EXPECT_NE(other.error().detail.find("user_agent_parsers"), std::string::npos) << other.error().detail;
}

std::unique_ptr<user_agent_parser> new_parser() {
    return std::move(user_agent_parser::load(uap_core + "regexes.yaml").value());
}

TEST(UserAgentCache, GivesTheFactsOfTheParserAndStaysBounded) {
    user_agent_cache cache(new_parser(), 160);
    for (int round = 0; round < 2; ++round) {
        for (int i = 0; i < 1'000; ++i) {
            auto const facts = cache.find_or_parse("curl/7." + std::to_string(i) + ".1");
            ASSERT_EQ(facts->browser_version, "7." + std::to_string(i) + ".1");
        }
    }
    EXPECT_LE(cache.size(), 160U);
    EXPECT_GE(cache.size(), 100U);
    EXPECT_EQ(*cache.find_or_parse(""), client_facts{});
}

TEST(UserAgentCache, KeepsTheOneThatIsUsedAgainAndAgain) {
    user_agent_cache cache(new_parser(), 160);
    auto const often = cache.find_or_parse("curl/8.0.0");
    int kept = 0;
    for (int i = 0; i < 1'000; ++i) {
        (void)cache.find_or_parse("Wget/1." + std::to_string(i));
        if (cache.find_or_parse("curl/8.0.0") == often) ++kept;
    }
    EXPECT_EQ(kept, 1'000);
}

TEST(UserAgentCache, ServesManyThreads) {
    user_agent_cache cache(new_parser(), 64);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&cache, &wrong, t] {
            for (int i = 0; i < 2'000; ++i) {
                auto const version = std::to_string((i * 7 + t) % 200);
                if (cache.find_or_parse("curl/" + version)->browser_version != version) ++wrong;
            }
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace linkledger::commands
