// Known links on disk: what comes back is what was known, and a file that cannot be read says so.
#include "commands/links_file.h"

#include "eventlog/crypto.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

namespace linkledger::commands {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

link_settings some_link(std::string code) {
    link_settings made;
    made.link_id = domain::link_id{eventlog::new_uuid_v7()};
    made.workspace_id = domain::workspace_id{eventlog::new_uuid_v7()};
    made.version = 3;
    made.short_code = std::move(code);
    made.url = "https://shop.example/?a=b";
    return made;
}

class LinksFile : public ::testing::Test {
protected:
    [[nodiscard]] std::string path() const { return folder_.file("links.db"); }

    test::temp_folder folder_;
    links_file_head head_{{eventlog::new_uuid_v7(), 2, 1234, {}}, eventlog::now() - 90s};
    link_table known_{1'000};
};

TEST_F(LinksFile, BringsBackEverySetting) {
    auto plain = some_link("plain");
    auto full = some_link("full");
    full.disabled = true;
    full.has_password = true;
    full.expires_at = eventlog::now() + 24h;
    full.max_clicks = 7;
    full.utm_source = "news";
    full.utm_medium = "mail";
    full.utm_campaign = "spring";
    for (auto const& each : {plain, full}) known_.put_remembered(each);
    ASSERT_TRUE(write_links(path(), head_, known_));

    link_table again{1'000};
    auto const head = read_links(path(), again);
    ASSERT_TRUE(head);
    EXPECT_EQ(head.value().history.log_id, head_.history.log_id);
    EXPECT_EQ(head.value().history.epoch, 2);
    EXPECT_EQ(head.value().history.last, 1234);
    EXPECT_EQ(head.value().age(head_.learnt_at + 90s), 90s);
    EXPECT_EQ(again.find("plain")->settings(), plain);
    EXPECT_EQ(again.find("full")->settings(), full);
}

TEST_F(LinksFile, HoldsTheLinksAsTheyAreEachTime) {
    known_.put_remembered(some_link("first"));
    ASSERT_TRUE(write_links(path(), head_, known_));
    known_.clear();
    for (int i = 0; i < 2'500; ++i) known_.put_remembered(some_link("link" + std::to_string(i)));
    ASSERT_TRUE(write_links(path(), head_, known_));

    link_table again{10'000};
    ASSERT_TRUE(read_links(path(), again));
    EXPECT_EQ(again.stats().links, known_.stats().links);
    EXPECT_FALSE(again.find("first"));
    EXPECT_TRUE(again.find("link2499"));
    EXPECT_FALSE(std::filesystem::exists(path() + ".new"));
}

TEST_F(LinksFile, KeepsTheBoundOfTheTable) {
    for (int i = 0; i < 900; ++i) known_.put_remembered(some_link("link" + std::to_string(i)));
    ASSERT_TRUE(write_links(path(), head_, known_));
    link_table small{100};
    ASSERT_TRUE(read_links(path(), small));
    EXPECT_EQ(small.stats().links, 100u);
}

TEST_F(LinksFile, LeavesWhatTheTableKnowsAlready) {
    auto old = some_link("code");
    known_.put_remembered(old);
    ASSERT_TRUE(write_links(path(), head_, known_));
    auto newer = old;
    newer.version = 4;
    newer.url = "https://new.example/";
    link_table again{100};
    again.put_remembered(newer);
    ASSERT_TRUE(read_links(path(), again));
    EXPECT_EQ(again.find("code")->url(), "https://new.example/");
}

TEST_F(LinksFile, SaysWhatIsWrongWithAFile) {
    EXPECT_THAT(read_links(path(), known_).error().detail, HasSubstr("there is none"));
    std::ofstream{path()} << std::string(5'000, 'x');
    auto const damaged = read_links(path(), known_);
    ASSERT_FALSE(damaged);
    EXPECT_EQ(damaged.error().code, eventlog::failure_code::unavailable);
    EXPECT_THAT(damaged.error().detail, HasSubstr(path()));
}

TEST_F(LinksFile, IsNoOlderThanNowForAClockThatWentBack) {
    head_.learnt_at = eventlog::now() + 1h;
    EXPECT_EQ(head_.age(eventlog::now()), 0ms);
}

}  // namespace
}  // namespace linkledger::commands
