// Clicks: events in, rows and statistics out.

#include "projections/clicks/clicks_queries.h"

#include "domain/streams.h"
#include "tests/projections/read_models.h"

namespace linkledger::projections::clicks {
namespace {

using domain::click::clicked;
using domain::click::clicked_personal;
using test::told;
using testing::ElementsAre;

domain::timestamp at(char const* text) {
    return *domain::parse_timestamp(text);
}

class Clicks : public test::on_both_databases {
protected:
    domain::link_id const link_{story().id()};
    domain::workspace_id const workspace_{story().id()};

    void tell(clicked e, domain::timestamp when, std::string const& subject = "day") {
        e.link_id = link_;
        told with;
        with.workspace = workspace_;
        with.at = when;
        story().tell(e.is_bot ? domain::bots_stream_of(link_) : domain::clicks_stream_of(link_), e, with,
                     subject);
    }
    void click(char const* visitor, char const* when, char const* country = "AT",
               char const* browser = "Firefox") {
        clicked e;
        e.country_code = country;
        e.browser = browser;
        e.device_type = "desktop";
        e.personal = clicked_personal{visitor, {}, {}, {}};
        tell(e, at(when));
    }
    page_of<click_row> list(click_list_query query = {}) {
        query.link_id = link_;
        return models_.read("clicks", [&](sql::connection& rows) { return list_clicks(rows, query); });
    }
    link_stats stats(stats_query query = {}) {
        query.link_id = link_;
        return models_.read("clicks", [&](sql::connection& rows) { return get_stats(rows, query); });
    }
};
LINKLEDGER_ON_BOTH_DATABASES(Clicks);

TEST_P(Clicks, AreStoredWithAllTheirFacts) {
    clicked e;
    e.short_code = "abc";
    e.country_code = "AT";
    e.region = "9";
    e.city = "Wien";
    e.device_type = "mobile";
    e.browser = "Firefox";
    e.browser_version = "120";
    e.os = "Android";
    e.os_version = "14";
    e.referer_domain = "example.org";
    e.utm_source = "s";
    e.utm_medium = "m";
    e.utm_campaign = "c";
    e.personal = clicked_personal{"0123456789abcdef0123456789abcdef", "192.0.2.1", "UA \"quoted\"\ttab\\n",
                                  "https://example.org/x"};
    tell(e, at("2026-11-21T03:04:05.678901Z"));
    catch_up_all();
    auto const page = list();
    ASSERT_EQ(page.total_count, 1);
    auto const& row = page.items.at(0);
    EXPECT_EQ(row.link_id, link_);
    EXPECT_EQ(row.clicked_at, at("2026-11-21T03:04:05.678901Z"));
    EXPECT_EQ(row.visitor_id, e.personal->visitor);
    EXPECT_EQ(row.ip_address, "192.0.2.1");
    EXPECT_EQ(row.user_agent, e.personal->user_agent);
    EXPECT_EQ(row.referer, "https://example.org/x");
    EXPECT_EQ(row.referer_domain, "example.org");
    EXPECT_EQ(row.city, "Wien");
    EXPECT_EQ(row.os_version, "14");
    EXPECT_EQ(row.utm_campaign, "c");
    EXPECT_FALSE(row.is_bot);
}

TEST_P(Clicks, OfErasedDaysKeepWhatIsNotPersonal) {
    clicked e;
    e.country_code = "AT";
    e.personal = clicked_personal{"v", "192.0.2.1", "UA", "https://example.org/"};
    tell(e, at("2026-11-21T03:04:05Z"), "yesterday");
    story().erase("yesterday");
    catch_up_all();
    auto const row = list().items.at(0);
    EXPECT_EQ(row.country_code, "AT");
    EXPECT_EQ(row.visitor_id, std::nullopt);
    EXPECT_EQ(row.ip_address, std::nullopt);
    EXPECT_EQ(row.user_agent, std::nullopt);
    EXPECT_EQ(row.referer, std::nullopt);
    EXPECT_EQ(stats().total_clicks, 1);
    EXPECT_EQ(stats().unique_clicks, 0);
}

TEST_P(Clicks, AreListedNewestFirstByPageAndByCursor) {
    for (int i = 10; i < 35; ++i) click("v", ("2026-11-21T03:00:" + std::to_string(i) + "Z").c_str());
    click("v", "2026-11-21T03:00:34Z");  // The same instant: ids decide.
    catch_up_all();
    click_list_query query;
    query.page.per_page = 10;
    std::vector<domain::uuid> by_page, by_cursor;
    for (query.page.page = 1; query.page.page <= 3; ++query.page.page) {
        for (auto const& row : list(query).items) by_page.push_back(row.id);
    }
    query.page.page = 1;
    for (;;) {
        auto const page = list(query);
        EXPECT_EQ(page.total_count, 26);
        for (auto const& row : page.items) by_cursor.push_back(row.id);
        if (!page.cursor) break;
        query.page.cursor = page.cursor;
    }
    EXPECT_EQ(by_page.size(), 26u);
    EXPECT_EQ(by_page, by_cursor);
    query.page = {};
    query.order = sort_order::asc;
    EXPECT_EQ(list(query).items.front().id, by_page.back());
    query.page.cursor = "nonsense";
    EXPECT_EQ(list(query).items.size(), 20u);
}

TEST_P(Clicks, AreFilteredByTimeAndKind) {
    click("a", "2026-11-20T00:00:00Z");
    click("b", "2026-11-21T00:00:00Z");
    clicked bot;
    bot.is_bot = true;
    tell(bot, at("2026-11-21T12:00:00Z"));
    catch_up_all();
    click_list_query query;
    EXPECT_EQ(list(query).total_count, 3);
    query.is_bot = true;
    EXPECT_EQ(list(query).total_count, 1);
    query.is_bot.reset();
    query.from = at("2026-11-21T00:00:00Z");
    EXPECT_EQ(list(query).total_count, 2);
    query.to = at("2026-11-21T12:00:00Z");
    EXPECT_EQ(list(query).total_count, 1);
}

TEST_P(Clicks, AddUpToStatisticsOfPeople) {
    click("a", "2026-10-31T23:59:59Z", "AT", "Firefox");
    click("a", "2026-11-01T00:00:00Z", "AT", "Safari");
    click("b", "2026-11-01T00:30:00Z", "DE", "Firefox");
    click("b", "2026-11-01T05:00:00Z", "AT", "Firefox");
    clicked bot;
    bot.is_bot = true;
    bot.country_code = "US";
    tell(bot, at("2026-11-01T05:00:00Z"));
    catch_up_all();

    auto const all = stats();
    EXPECT_EQ(all.total_clicks, 4);
    EXPECT_EQ(all.unique_clicks, 2);
    EXPECT_THAT(all.countries, ElementsAre(stats_share{"AT", 3}, stats_share{"DE", 1}));
    EXPECT_THAT(all.browsers, ElementsAre(stats_share{"Firefox", 3}, stats_share{"Safari", 1}));
    EXPECT_THAT(all.devices, ElementsAre(stats_share{"desktop", 4}));
    EXPECT_THAT(all.referrers, ElementsAre(stats_share{std::nullopt, 4}));
    EXPECT_THAT(all.series, ElementsAre(stats_bucket{at("2026-10-31T00:00:00Z"), 1, 1},
                                        stats_bucket{at("2026-11-01T00:00:00Z"), 3, 2}));
    stats_query query;
    query.interval = interval::month;
    EXPECT_THAT(stats(query).series, ElementsAre(stats_bucket{at("2026-10-01T00:00:00Z"), 1, 1},
                                                 stats_bucket{at("2026-11-01T00:00:00Z"), 3, 2}));
    query.interval = interval::hour;
    query.from = at("2026-11-01T00:00:00Z");
    query.to = at("2026-11-01T05:00:00Z");
    auto const night = stats(query);
    EXPECT_EQ(night.total_clicks, 2);
    EXPECT_THAT(night.series, ElementsAre(stats_bucket{at("2026-11-01T00:00:00Z"), 2, 2}));
}

TEST_P(Clicks, OfEachMonthHaveTheirPartition) {
    click("a", "2026-10-31T23:59:59.999999Z");
    click("a", "2026-11-01T00:00:00Z");
    click("a", "2026-12-31T23:59:59Z");
    click("a", "2027-01-01T00:00:00Z");
    catch_up_all();
    EXPECT_EQ(list().total_count, 4);
    if (GetParam() != sql::dialect::postgresql) return;
    auto const count = [&](std::string const& table) {
        return models_.open("clicks")->query_one("SELECT count(*) FROM " + table, {},
                                                 [](sql::row const& r) { return r.integer(0); });
    };
    for (auto const* month : {"2026_10", "2026_11", "2026_12", "2027_01"})
        EXPECT_EQ(count(std::string{"clicks_v1_"} + month), 1);
    EXPECT_EQ(count("clicks_v1_default"), 0);
}

}  // namespace
}  // namespace linkledger::projections::clicks
