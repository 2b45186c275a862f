// Following links: who is let through, who is counted, and what is written of them.

#include "tests/commands/visits_fixture.h"
#include "tests/support/mmdb_writer.h"
#include "tests/support/temp_folder.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace linkledger::commands {
namespace {

using testing::click_path;
using testing::kind_of;
using namespace std::chrono_literals;

std::string const chrome =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/109.0.5414.120 "
    "Safari/537.36";
std::string const googlebot = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

visit visit_of(std::string const& short_code, std::string const& user_agent = chrome) {
    visit request;
    request.short_code = short_code;
    request.ip = "203.0.113.77";
    request.user_agent = user_agent;
    return request;
}

TEST(Follow, RedirectsOnceTheClickIsInTheLog) {
    click_path service;
    auto const link = service.create("spring");
    auto const outcome = service.follow(visit_of("spring"));
    ASSERT_EQ(kind_of(outcome), "redirect");
    EXPECT_EQ(std::get<redirect_to>(outcome).url, "https://example.com/spring");
    auto const clicks = service.clicks_of(link.link_id);
    ASSERT_EQ(clicks.size(), 1U);
    EXPECT_EQ(std::get<redirect_to>(outcome).position, clicks[0].stored.position);
}

TEST(Follow, WritesTheFactsOfTheVisit) {
    testing::click_path service;
    auto const link = service.create("spring", [](domain::link::created& e) {
        e.utm_source = "newsletter";
        e.utm_medium = "email";
    });
    auto request = visit_of("spring");
    request.referer = "https://News.Example.org:8080/today?x=1";
    request.query = "utm_source=poster&utm_campaign=spring%20sale+2&utm_source=again&other=1";
    request.correlation_id = eventlog::new_uuid_v7();
    service.follow(request);
    auto const clicks = service.clicks_of(link.link_id);
    ASSERT_EQ(clicks.size(), 1U);
    auto const& e = clicks[0].event;
    EXPECT_EQ(e.link_id, link.link_id);
    EXPECT_EQ(e.short_code, "spring");
    EXPECT_EQ(e.device_type, "desktop");
    EXPECT_EQ(e.browser, "Chrome");
    EXPECT_EQ(e.browser_version, "109.0.5414");
    EXPECT_EQ(e.os, "Windows");
    EXPECT_EQ(e.os_version, "10");
    EXPECT_FALSE(e.is_bot);
    EXPECT_EQ(e.referer_domain, "news.example.org");
    EXPECT_EQ(e.utm_source, "poster");
    EXPECT_EQ(e.utm_medium, "email");
    EXPECT_EQ(e.utm_campaign, "spring sale 2");
    ASSERT_TRUE(e.personal);
    EXPECT_EQ(e.personal->visitor.size(), 32U);
    EXPECT_EQ(e.personal->user_agent, chrome);
    EXPECT_EQ(e.personal->referer, request.referer);

    auto const& stored = clicks[0].stored;
    EXPECT_EQ(stored.body.workspace_id, service.workspace.value);
    auto const cause = eventlog::decode_metadata(stored.body.metadata).value();
    EXPECT_EQ(cause.command, "ClickLink");
    EXPECT_EQ(cause.correlation_id, request.correlation_id);
    EXPECT_FALSE(cause.command_id.is_nil());
    EXPECT_EQ(cause.actor.kind, eventlog::actor_kind::visitor);
}

TEST(Follow, CountsAVisitorWithoutAUserAgent) {
    click_path service;
    auto const link = service.create("spring");
    EXPECT_EQ(kind_of(service.follow("spring")), "redirect");
    auto const clicks = service.clicks_of(link.link_id);
    ASSERT_EQ(clicks.size(), 1U);
    EXPECT_EQ(clicks[0].event.device_type, std::nullopt);
    EXPECT_EQ(clicks[0].event.personal->user_agent, std::nullopt);
}

TEST(Follow, TellsUnknownFromDeletedAndRemembersBoth) {
    click_path service;
    auto const link = service.create("spring");
    service.happen(link.link_id, domain::link::deleted{link.link_id, std::nullopt, "spring"});
    EXPECT_EQ(kind_of(service.follow("spring")), "link_gone");
    EXPECT_EQ(kind_of(service.follow("autumn")), "not_found");
    auto const misses = service.path().stats().misses;
    EXPECT_EQ(kind_of(service.follow("spring")), "link_gone");
    EXPECT_EQ(kind_of(service.follow("autumn")), "not_found");
    EXPECT_EQ(service.path().stats().misses, misses);
    EXPECT_EQ(kind_of(service.follow("no/code")), "not_found");
    EXPECT_EQ(kind_of(service.follow("")), "not_found");

    service.happen(link.link_id, domain::link::restored{link.link_id, std::nullopt, "spring"});
    service.create("autumn");
    service.follow_tail();
    EXPECT_EQ(kind_of(service.follow("spring")), "redirect");
    EXPECT_EQ(kind_of(service.follow("autumn")), "redirect");
}

TEST(Follow, GivesADeletedCodeToTheLinkThatTakesIt) {
    click_path service;
    auto const first = service.create("spring");
    service.happen(first.link_id, domain::link::deleted{first.link_id, std::nullopt, "spring"});
    auto const second = service.create("spring");
    EXPECT_EQ(kind_of(service.follow("spring")), "redirect");
    EXPECT_EQ(service.clicks_of(second.link_id).size(), 1U);
    service.happen(second.link_id, domain::link::deleted{second.link_id, std::nullopt, "spring"});
    service.follow_tail();
    EXPECT_EQ(kind_of(service.follow("spring")), "link_gone");
}

TEST(Follow, RefusesDisabledAndExpiredLinks) {
    click_path service;
    auto const link = service.create("spring");
    service.create("expired", [](domain::link::created& e) { e.expires_at = eventlog::now() - 1s; });
    service.create("later", [](domain::link::created& e) { e.expires_at = eventlog::now() + 1h; });
    EXPECT_EQ(kind_of(service.follow("expired")), "link_gone");
    EXPECT_EQ(kind_of(service.follow("later")), "redirect");
    EXPECT_EQ(kind_of(service.follow("spring")), "redirect");
    service.happen(link.link_id, domain::link::disabled{link.link_id});
    service.follow_tail();
    EXPECT_EQ(kind_of(service.follow("spring")), "link_gone");
    service.happen(link.link_id, domain::link::enabled{link.link_id});
    service.follow_tail();
    EXPECT_EQ(kind_of(service.follow("spring")), "redirect");
    EXPECT_EQ(service.clicks_of(link.link_id).size(), 2U);
}

TEST(Follow, MendsAStaleTableByTheTail) {
    click_path service;
    auto const link = service.create("spring");
    EXPECT_EQ(kind_of(service.follow("spring")), "redirect");
    domain::link::updated moved{link.link_id, std::nullopt, {}, {}, std::nullopt};
    moved.after.url = "https://example.com/elsewhere";
    service.happen(link.link_id, moved);
    EXPECT_EQ(std::get<redirect_to>(service.follow("spring")).url, "https://example.com/spring");
    service.follow_tail();
    EXPECT_EQ(std::get<redirect_to>(service.follow("spring")).url, "https://example.com/elsewhere");
}

TEST(Follow, ReadsTheLogEveryTimeWhereNoTailMendsTheTable) {
    visits_options options;
    options.follow_tail = false;
    click_path service(options);
    EXPECT_EQ(kind_of(service.follow("spring")), "not_found");
    auto const link = service.create("spring");
    EXPECT_EQ(kind_of(service.follow("spring")), "redirect");
    service.happen(link.link_id, domain::link::disabled{link.link_id});
    EXPECT_EQ(kind_of(service.follow("spring")), "link_gone");
}

TEST(Follow, NeverCountsAHeadRequest) {
    click_path service;
    auto const link = service.create("spring");
    auto request = visit_of("spring");
    request.counts = false;
    auto const outcome = service.follow(request);
    ASSERT_EQ(kind_of(outcome), "redirect");
    EXPECT_EQ(std::get<redirect_to>(outcome).position, 0);
    EXPECT_TRUE(service.clicks_of(link.link_id).empty());
    EXPECT_TRUE(service.bots_of(link.link_id).empty());
}

TEST(Follow, KeepsBotsInAStreamOfTheirOwn) {
    click_path service;
    auto const link = service.create("spring", [](domain::link::created& e) { e.max_clicks = 1; });
    for (int i = 0; i < 3; ++i) EXPECT_EQ(kind_of(service.follow(visit_of("spring", googlebot))), "redirect");
    EXPECT_TRUE(service.clicks_of(link.link_id).empty());
    ASSERT_EQ(service.bots_of(link.link_id).size(), 3U);
    EXPECT_TRUE(service.bots_of(link.link_id)[0].event.is_bot);
}

TEST(Follow, TurnsEveryoneAwayAtTheCap) {
    click_path service;
    auto const link = service.create("spring", [](domain::link::created& e) { e.max_clicks = 2; });
    EXPECT_EQ(kind_of(service.follow(visit_of("spring"))), "redirect");
    EXPECT_EQ(kind_of(service.follow(visit_of("spring"))), "redirect");
    auto head = visit_of("spring");
    head.counts = false;
    for (int i = 0; i < 2; ++i) {
        auto const outcome = service.follow(visit_of("spring"));
        ASSERT_EQ(kind_of(outcome), "link_gone");
        EXPECT_NE(std::get<domain::refusal>(outcome).detail.find("max_clicks"), std::string::npos);
        EXPECT_EQ(kind_of(service.follow(visit_of("spring", googlebot))), "link_gone");
        EXPECT_EQ(kind_of(service.follow(head)), "link_gone");
        // And again by a table that has to find out.
        service.path().links().drop(link.link_id);
    }
    EXPECT_EQ(service.clicks_of(link.link_id).size(), 2U);
    EXPECT_TRUE(service.bots_of(link.link_id).empty());
}

TEST(Follow, SeesThatAnotherProcessReachedTheCap) {
    click_path service;
    auto const link = service.create("spring", [](domain::link::created& e) { e.max_clicks = 1; });
    auto head = visit_of("spring");
    head.counts = false;
    EXPECT_EQ(kind_of(service.follow(head)), "redirect");
    // Written past this process's table.
    domain::click::clicked const elsewhere{link.link_id, "spring"};
    eventlog::append_batch batch;
    batch.producer = eventlog::new_uuid_v7();
    batch.sequence = 1;
    eventlog::event_body body;
    body.event_id = eventlog::new_uuid_v7();
    body.type = "link.clicked";
    body.data = eventlog::encode(elsewhere).data;
    body.metadata = "{}";
    body.occurred_at = eventlog::now();
    eventlog::stream_append to;
    to.stream = clicks_stream_of(link.link_id);
    to.events.push_back(body);
    batch.appends.resize(1);
    batch.appends[0].streams.push_back(to);
    ASSERT_TRUE(service.log().append(batch));
    EXPECT_EQ(kind_of(service.follow(head)), "link_gone");
}

TEST(Follow, OpensAgainWhenTheCapIsRaised) {
    click_path service;
    auto const link = service.create("spring", [](domain::link::created& e) { e.max_clicks = 1; });
    EXPECT_EQ(kind_of(service.follow("spring")), "redirect");
    EXPECT_EQ(kind_of(service.follow("spring")), "link_gone");
    domain::link::updated raised{link.link_id, std::nullopt, {}, {}, std::nullopt};
    raised.after.max_clicks.emplace(2);
    service.happen(link.link_id, raised);
    service.follow_tail();
    EXPECT_EQ(kind_of(service.follow("spring")), "redirect");
    EXPECT_EQ(kind_of(service.follow("spring")), "link_gone");
}

TEST(Follow, KeepsTheCapExactUnderConcurrency) {
    constexpr int cap = 20, visitors = 50, threads = 4;
    boost::asio::thread_pool loop(threads);
    click_path service;
    auto const link =
        service.create("spring", [](domain::link::created& e) { e.max_clicks = std::int64_t{cap}; });
    std::vector<std::future<visit_outcome>> outcomes;
    visit const person = visit_of("spring");
    visit const bot = visit_of("spring", googlebot);
    for (int i = 0; i < visitors; ++i) {
        outcomes.push_back(
            boost::asio::co_spawn(loop, service.path().follow(person), boost::asio::use_future));
        if (i % 5 == 0)
            (void)boost::asio::co_spawn(loop, service.path().follow(bot), boost::asio::use_future);
    }
    int redirected = 0, refused = 0;
    for (auto& outcome : outcomes) {
        auto const kind = kind_of(outcome.get());
        redirected += kind == "redirect" ? 1 : 0;
        refused += kind == "link_gone" ? 1 : 0;
    }
    loop.join();
    EXPECT_EQ(redirected, cap);
    EXPECT_EQ(refused, visitors - cap);
    EXPECT_EQ(service.clicks_of(link.link_id).size(), static_cast<std::size_t>(cap));
}

TEST(Follow, ReadsAColdLinkOnceForAllWhoWantIt) {
    click_path service;
    auto const link = service.create("spring");
    std::vector<std::future<visit_outcome>> outcomes;
    visit const person = visit_of("spring");
    for (int i = 0; i < 100; ++i) {
        outcomes.push_back(
            boost::asio::co_spawn(service.loop(), service.path().follow(person), boost::asio::use_future));
    }
    service.loop().run();
    for (auto& outcome : outcomes) EXPECT_EQ(kind_of(outcome.get()), "redirect");
    EXPECT_EQ(service.clicks_of(link.link_id).size(), 100U);
}

TEST(Follow, WantsThePasswordAndCountsTheRightOne) {
    click_path service;
    auto const link = service.create("secret", [](domain::link::created& e) {
        e.has_password = true;
        e.personal = domain::link::secret{eventlog::hash_password("open sesame")};
    });
    auto request = visit_of("secret");
    auto outcome = service.follow(request);
    ASSERT_EQ(kind_of(outcome), "password");
    EXPECT_FALSE(std::get<password_wanted>(outcome).was_wrong);
    request.password = "open barley";
    outcome = service.follow(request);
    ASSERT_EQ(kind_of(outcome), "password");
    EXPECT_TRUE(std::get<password_wanted>(outcome).was_wrong);
    EXPECT_TRUE(service.clicks_of(link.link_id).empty());
    request.password = "open sesame";
    EXPECT_EQ(kind_of(service.follow(request)), "redirect");
    EXPECT_EQ(service.clicks_of(link.link_id).size(), 1U);

    domain::link::updated cleared{link.link_id, std::nullopt, {}, {}, domain::link::secret{}};
    cleared.after.has_password = false;
    service.happen(link.link_id, cleared);
    service.follow_tail();
    EXPECT_EQ(kind_of(service.follow(visit_of("secret"))), "redirect");
}

TEST(Follow, BoundsThePasswordChecks) {
    visits_options options;
    options.password_checks_max = 0;
    click_path service(options);
    service.create("secret", [](domain::link::created& e) {
        e.has_password = true;
        e.personal = domain::link::secret{"$argon2id$unused"};
    });
    auto request = visit_of("secret");
    request.password = "guess";
    EXPECT_EQ(kind_of(service.follow(request)), "failure");
}

TEST(Follow, HashesAVisitorByWorkspaceAndDay) {
    click_path one;
    auto const link = one.create("spring");
    one.follow(visit_of("spring"));
    one.follow(visit_of("spring"));
    auto other_visitor = visit_of("spring");
    other_visitor.ip = "203.0.113.78";
    one.follow(other_visitor);
    auto const clicks = one.clicks_of(link.link_id);
    ASSERT_EQ(clicks.size(), 3U);
    EXPECT_EQ(clicks[0].event.personal->visitor, clicks[1].event.personal->visitor);
    EXPECT_NE(clicks[0].event.personal->visitor, clicks[2].event.personal->visitor);
    EXPECT_EQ(clicks[0].stored.body.personal.key_id, clicks[1].stored.body.personal.key_id);

    one.workspace.value = eventlog::new_uuid_v7();
    auto const elsewhere = one.create("summer");
    one.follow(visit_of("summer"));
    auto const there = one.clicks_of(elsewhere.link_id);
    EXPECT_NE(there[0].event.personal->visitor, clicks[0].event.personal->visitor);
    EXPECT_NE(there[0].stored.body.personal.key_id, clicks[0].stored.body.personal.key_id);
}

TEST(Follow, StoresNoAddressUnlessToldTo) {
    struct wanted {
        keep_ip keep;
        std::optional<std::string> v4, v6;
    };
    std::vector<wanted> const cases{{keep_ip::none, {}, {}},
                                    {keep_ip::truncated, "203.0.113.0", "2001:db8:12::"},
                                    {keep_ip::full, "203.0.113.77", "2001:db8:12:34::77"}};
    for (auto const& [keep, v4, v6] : cases) {
        visits_options options;
        options.keep_ip = keep;
        click_path service(options);
        auto const link = service.create("spring");
        auto request = visit_of("spring");
        service.follow(request);
        request.ip = "2001:db8:12:34::77";
        service.follow(request);
        auto const clicks = service.clicks_of(link.link_id);
        ASSERT_EQ(clicks.size(), 2U);
        EXPECT_EQ(clicks[0].event.personal->ip, v4);
        EXPECT_EQ(clicks[1].event.personal->ip, v6);
        for (auto const& click : clicks) {
            EXPECT_EQ(click.stored.body.data.find("203.0"), std::string::npos);
            EXPECT_EQ(click.stored.body.metadata.find("203.0"), std::string::npos);
        }
    }
}

TEST(Follow, StoresOnlyTextThatCanBeReadBack) {
    click_path service;
    auto const link = service.create("spring");
    auto request = visit_of("spring", std::string("Bad\xff\x01 agent \xe2\x82\xac\xf0\x9f", 17));
    request.referer = "https://ex\xc3\x28mple.com/\x7f\x1b";
    request.query = "utm_source=%ff%00%0aok&utm_medium=" + std::string(5'000, 'm') + "&utm_campaign=%";
    EXPECT_EQ(kind_of(service.follow(request)), "redirect");
    auto const clicks = service.clicks_of(link.link_id);
    ASSERT_EQ(clicks.size(), 1U);
    EXPECT_EQ(clicks[0].event.utm_source, "\xEF\xBF\xBDok");
    EXPECT_EQ(clicks[0].event.utm_medium->size(), 255U);
    EXPECT_EQ(clicks[0].event.utm_campaign, "%");
    EXPECT_EQ(clicks[0].event.personal->user_agent,
              "Bad\xEF\xBF\xBD agent \xe2\x82\xac\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(Follow, ResolvesThePlaceWhereADatabaseIsNamed) {
    test::temp_folder const folder;
    visits_options options;
    options.geoip_db = folder.file("city.mmdb");
    test::write_mmdb(options.geoip_db, {{"203.0.113.0/24", "NZ", "Otago", "Dunedin"}});
    click_path service(options);
    auto const link = service.create("spring");
    service.follow(visit_of("spring"));
    auto const clicks = service.clicks_of(link.link_id);
    ASSERT_EQ(clicks.size(), 1U);
    EXPECT_EQ(clicks[0].event.country_code, "NZ");
    EXPECT_EQ(clicks[0].event.region, "Otago");
    EXPECT_EQ(clicks[0].event.city, "Dunedin");
}

TEST(Follow, MayRedirectBeforeTheCommitButNotPastACap) {
    visits_options options;
    options.click_queued = true;
    click_path service(options);
    auto const link = service.create("spring");
    auto const capped = service.create("capped", [](domain::link::created& e) { e.max_clicks = 1; });
    auto const outcome = service.follow(visit_of("spring"));
    ASSERT_EQ(kind_of(outcome), "redirect");
    EXPECT_EQ(std::get<redirect_to>(outcome).position, 0);
    EXPECT_EQ(kind_of(service.follow("capped")), "redirect");
    EXPECT_EQ(kind_of(service.follow("capped")), "link_gone");
    // The committer keeps the order: the capped click came later, so the queued one is there.
    EXPECT_EQ(service.clicks_of(link.link_id).size(), 1U);
    EXPECT_EQ(service.clicks_of(capped.link_id).size(), 1U);
}

TEST(Visits, StopTheStartWhenAFileCannotBeUsed) {
    visits_options options;
    options.geoip_db = "/nonexistent/city.mmdb";
    EXPECT_THROW(click_path{options}, std::runtime_error);
    options.geoip_db = "";
    options.uap_regexes = "/nonexistent/regexes.yaml";
    EXPECT_THROW(click_path{options}, std::runtime_error);
}

}  // namespace
}  // namespace linkledger::commands
