// Links shared through Redis: what is taken from there, and what is not believed.

#include "commands/edge_cache.h"
#include "eventlog/crypto.h"
#include "eventlog/memory_log.h"
#include "tests/commands/bus_fixture.h"
#include "tests/support/redis_server.h"

#include <chrono>
#include <functional>
#include <thread>

namespace linkledger::commands {
namespace {

using namespace std::chrono_literals;
using testing::process;

bool comes_true(std::function<bool()> const& what) {
    for (auto const until = std::chrono::steady_clock::now() + 20s; std::chrono::steady_clock::now() < until;
         std::this_thread::sleep_for(5ms))
        if (what()) return true;
    return false;
}

class EdgeCache : public ::testing::Test {
protected:
    test::redis_server server_;
    redis::client redis_{client_options()};
    std::unique_ptr<eventlog::event_log> log_ = eventlog::create_memory_log();
    std::unique_ptr<process> first_ = make_process();
    sender admin_ = first_->first_admin();
    std::string link_id_;

    redis::client_options client_options() {
        redis::client_options options;
        options.connect = server_.options();
        options.check_pause = 20ms;
        return options;
    }
    std::unique_ptr<process> make_process() {
        auto options = process::default_options();
        options.redis = &redis_;
        auto made = std::make_unique<process>(*log_, options);
        EXPECT_TRUE(comes_true([&] { return made->bus().stats().edge_ready; }));
        return made;
    }
    void make_link(std::string const& code) {
        auto const workspace = testing::field(
            first_->accept("CreateWorkspace", R"({"name": "Team", "slug": "team"})", admin_), "workspace_id");
        auto const made = first_->accept("CreateLink",
                                         testing::object({{"workspace_id", workspace},
                                                          {"url", "https://example.com/old"},
                                                          {"short_code", code},
                                                          {"utm_source", "mail"},
                                                          {"expires_at", "2199-01-01T00:00:00Z"}}),
                                         admin_);
        link_id_ = testing::field(made, "link_id");
        EXPECT_TRUE(comes_true([&] { return !in_redis(code).empty(); }));
    }
    void change_url(std::string const& url) {
        first_->accept("UpdateLink", testing::object({{"link_id", link_id_}, {"url", url}}), admin_);
    }
    [[nodiscard]] std::string in_redis(std::string const& code) const {
        return server_.call({"GET", "link:" + code}).text_or_empty();
    }
    static visit_outcome look(process& at, std::string const& code) {
        visit request;
        request.short_code = code;
        request.counts = false;
        return at.run(at.bus().follow(request));
    }
    static std::string url_of(visit_outcome const& outcome) {
        auto const* const found = std::get_if<redirect_to>(&outcome);
        return found == nullptr ? "no redirect" : found->url;
    }
};

TEST_F(EdgeCache, LetsAColdProcessFollowALinkWithoutTheLog) {
    make_link("warm");
    auto const cold = make_process();
    EXPECT_EQ(url_of(look(*cold, "warm")), "https://example.com/old");
    EXPECT_EQ(cold->bus().stats().edge_hits, 1u);
    EXPECT_EQ(url_of(look(*cold, "warm")), "https://example.com/old");
    EXPECT_EQ(cold->bus().stats().edge_hits, 1u) << "now the process knows it itself";
    EXPECT_EQ(cold->bus().stats().link_cache_hits, 1u);
    change_url("https://example.com/new");
    EXPECT_TRUE(comes_true([&] { return url_of(look(*cold, "warm")) == "https://example.com/new"; }));
    auto const left = server_.call({"TTL", "link:warm"}).integer();
    EXPECT_GT(left, 290);
    EXPECT_LE(left, 300);
}

TEST_F(EdgeCache, IsNotBelievedWhenItIsOlderThanWhatTheLogSaid) {
    make_link("moved");
    auto const old = in_redis("moved");
    change_url("https://example.com/new");
    EXPECT_TRUE(comes_true([&] { return in_redis("moved") != old; }));
    server_.call({"SET", "link:moved", old});  // As a slow or restored writer might.
    auto const cold = make_process();
    EXPECT_EQ(url_of(look(*cold, "moved")), "https://example.com/new");
    EXPECT_EQ(cold->bus().stats().edge_hits, 0u);
    first_->accept("DisableLink", testing::object({{"link_id", link_id_}}), admin_);
    auto const disabled = make_process();
    EXPECT_EQ(url_of(look(*disabled, "moved")), "no redirect");
}

TEST_F(EdgeCache, HoldsATombstoneOfADeletedLinkUntilTheCodeIsTaken) {
    make_link("gone");
    first_->accept("DeleteLink", testing::object({{"link_id", link_id_}}), admin_);
    EXPECT_TRUE(comes_true([&] { return in_redis("gone").find("\"deleted\":true") != std::string::npos; }));
    auto const cold = make_process();
    auto const outcome = look(*cold, "gone");
    auto const* const refused = std::get_if<domain::refusal>(&outcome);
    ASSERT_NE(refused, nullptr);
    EXPECT_EQ(refused->code, domain::refusal_code::link_gone);
    EXPECT_EQ(cold->bus().stats().edge_hits, 1u);
    first_->accept("RestoreLink", testing::object({{"link_id", link_id_}}), admin_);
    EXPECT_TRUE(comes_true([&] { return url_of(look(*cold, "gone")) == "https://example.com/old"; }));
}

TEST_F(EdgeCache, IsAskedForNothingThatIsGarbageOrOfAnotherLog) {
    make_link("odd");
    auto text = in_redis("odd");
    auto const at = text.find("\"log\":\"") + 7;
    for (std::string const& entry :
         {std::string{"not JSON"}, std::string{"{}"}, std::string{R"({"position": 1000000})"},
          text.substr(0, at) + "x" + text.substr(at + 1)}) {
        server_.call({"SET", "link:odd", entry});
        auto const cold = make_process();
        EXPECT_EQ(url_of(look(*cold, "odd")), "https://example.com/old") << entry;
        EXPECT_EQ(cold->bus().stats().edge_hits, 0u) << entry;
    }
}

TEST_F(EdgeCache, LetsEverythingGoOnWithoutRedis) {
    make_link("alone");
    server_.kill9();
    auto const cold = make_process();
    EXPECT_EQ(url_of(look(*cold, "alone")), "https://example.com/old");
    change_url("https://example.com/new");
    EXPECT_TRUE(comes_true([&] { return url_of(look(*cold, "alone")) == "https://example.com/new"; }));
}

TEST_F(EdgeCache, NeverReplacesANewerEntryWithAnOlderOne) {
    edge_cache cache{redis_, *log_};
    cache.start([] { return eventlog::position{0}; });
    ASSERT_TRUE(comes_true([&] { return cache.stats().ready; }));
    link_settings settings;
    settings.link_id.value = eventlog::new_uuid_v7();
    settings.version = 1;
    settings.short_code = "race";
    settings.url = "https://example.com/ten";
    cache.put(settings, 1'000'010);
    settings.url = "https://example.com/five";
    cache.put(settings, 1'000'005);
    settings.short_code = "end";
    cache.put(settings, 1'000'011);
    ASSERT_TRUE(comes_true([&] { return !in_redis("end").empty(); }));
    EXPECT_NE(in_redis("race").find("/ten"), std::string::npos) << in_redis("race");
    cache.put_deleted("race", 1'000'020);
    settings.short_code = "race";
    cache.put(settings, 1'000'019);
    settings.max_clicks = 5;
    settings.short_code = "capped";
    cache.put(settings, 1'000'021);
    ASSERT_TRUE(comes_true([&] { return cache.stats().written == 5; }));
    EXPECT_NE(in_redis("race").find("deleted"), std::string::npos) << in_redis("race");
    EXPECT_EQ(in_redis("capped"), "");
}

}  // namespace
}  // namespace linkledger::commands
