// Links, tags and counters: events in, rows out.

#include "projections/links/links_queries.h"

#include "domain/streams.h"
#include "tests/projections/read_models.h"

namespace linkledger::projections::links {
namespace {

using test::told;
using testing::ElementsAre;
using testing::IsEmpty;
namespace ev = domain::link;

class Links : public test::on_both_databases {
protected:
    domain::workspace_id const workspace_{story().id()};
    domain::user_id const user_{story().id()};

    ev::created make(std::string const& code, std::string const& title = "") {
        ev::created e;
        e.link_id = {story().id()};
        e.workspace_id = workspace_;
        e.user_id = user_;
        e.url = "https://example.com/" + code;
        e.short_code = code;
        if (!title.empty()) e.title = title;
        return e;
    }
    domain::link_id tell(ev::created const& e) {
        told with;
        with.workspace = e.workspace_id;
        story().tell(domain::stream_of(e.link_id), e, with);
        return e.link_id;
    }
    template <typename Event>
    void tell(domain::link_id const& link, Event const& e) {
        told with;
        with.workspace = workspace_;
        story().tell(domain::stream_of(link), e, with);
    }
    void click(domain::link_id const& link, std::string const& visitor, bool is_bot = false,
               std::string const& subject = "day") {
        domain::click::clicked e;
        e.link_id = link;
        e.is_bot = is_bot;
        e.personal = domain::click::clicked_personal{visitor, {}, "agent", {}};
        told with;
        with.workspace = workspace_;
        story().tell(is_bot ? domain::bots_stream_of(link) : domain::clicks_stream_of(link), e, with,
                     subject);
    }
    std::optional<link_row> get(domain::link_id const& id) {
        return models_.read("links", [&](projections::snapshot const& rows) { return get_link(rows, id); });
    }
    page_of<link_row> list(link_list_query query) {
        query.workspaces = std::vector{workspace_};
        return models_.read("links",
                            [&](projections::snapshot const& rows) { return list_links(rows, query); });
    }
    std::vector<std::string> codes(link_list_query const& query) {
        std::vector<std::string> found;
        for (auto const& link : list(query).items) found.push_back(link.short_code);
        return found;
    }
    std::vector<std::string> search(std::string const& text) {
        link_list_query query;
        query.search = text;
        query.order = sort_order::asc;
        return codes(query);
    }
};
LINKLEDGER_ON_BOTH_DATABASES(Links);

TEST_P(Links, AreStoredWithEverythingTheyWereCreatedWith) {
    auto e = make("abc", "A title");
    e.description = "text";
    e.favicon_url = "https://example.com/f.ico";
    e.og_image_url = "https://example.com/o.png";
    e.tags = {"zoo", "alpha"};
    e.has_password = true;
    e.expires_at = domain::parse_timestamp("2027-01-01T00:00:00.123456Z");
    e.max_clicks = 5'000'000'000;
    e.utm_source = "s";
    e.utm_content = "c";
    e.personal = ev::secret{"$argon2id$secret"};
    tell(e);
    catch_up_all();

    auto const link = get(e.link_id);
    ASSERT_TRUE(link);
    EXPECT_EQ(link->url, "https://example.com/abc");
    EXPECT_EQ(link->title, "A title");
    EXPECT_EQ(link->description, "text");
    EXPECT_EQ(link->favicon_url, e.favicon_url);
    EXPECT_EQ(link->og_image_url, e.og_image_url);
    EXPECT_THAT(link->tags, ElementsAre("zoo", "alpha"));
    EXPECT_TRUE(link->has_password);
    EXPECT_TRUE(link->is_active);
    EXPECT_EQ(link->expires_at, e.expires_at);
    EXPECT_EQ(link->max_clicks, 5'000'000'000);
    EXPECT_EQ(link->utm_source, "s");
    EXPECT_EQ(link->utm_medium, std::nullopt);
    EXPECT_EQ(link->utm_content, "c");
    EXPECT_EQ(link->user_id, user_);
    EXPECT_EQ(link->created_at, link->updated_at);
    EXPECT_THAT(models_.dump("links"), testing::Not(testing::Contains(testing::HasSubstr("argon2"))));
}

TEST_P(Links, ChangeOnlyInTheFieldsOfAnUpdate) {
    auto e = make("abc", "Old");
    e.description = "stays";
    e.utm_source = "goes";
    e.tags = {"one", "two"};
    tell(e);
    catch_up_all();

    ev::updated change;
    change.link_id = e.link_id;
    change.after.title.emplace("New");
    change.after.utm_source.emplace(std::nullopt);
    change.after.tags = std::vector<std::string>{"two", "three"};
    change.after.max_clicks.emplace(7);
    tell(e.link_id, change);
    catch_up_all();

    auto const link = get(e.link_id);
    ASSERT_TRUE(link);
    EXPECT_EQ(link->title, "New");
    EXPECT_EQ(link->description, "stays");
    EXPECT_EQ(link->utm_source, std::nullopt);
    EXPECT_EQ(link->max_clicks, 7);
    EXPECT_THAT(link->tags, ElementsAre("two", "three"));
    EXPECT_THAT(search("new"), ElementsAre("abc"));
    EXPECT_THAT(search("old"), IsEmpty());
}

TEST_P(Links, MayExchangeTheirCodesWithinABatch) {
    auto const a = tell(make("aaa"));
    auto const b = tell(make("bbb"));
    catch_up_all();
    auto const rename = [&](domain::link_id const& id, std::string const& to) {
        ev::updated change;
        change.link_id = id;
        change.after.short_code = to;
        tell(id, change);
    };
    rename(a, "tmp");
    rename(b, "aaa");
    rename(a, "bbb");
    catch_up_all();
    EXPECT_EQ(get(a)->short_code, "bbb");
    EXPECT_EQ(get(b)->short_code, "aaa");
}

TEST_P(Links, GiveTheirCodeFreeWhenDeleted) {
    auto const a = tell(make("aaa"));
    catch_up_all();
    tell(a, ev::deleted{a, {}, "aaa"});
    auto const b = tell(make("aaa"));
    catch_up_all();
    EXPECT_TRUE(get(a)->deleted_at);
    EXPECT_FALSE(get(b)->deleted_at);
    EXPECT_EQ(list({}).total_count, 1);

    link_list_query everything;
    everything.deleted_too = true;
    EXPECT_EQ(list(everything).total_count, 2);

    tell(b, ev::deleted{b, {}, "aaa"});
    tell(a, ev::restored{a, {}, "aaa"});
    tell(a, ev::disabled{a});
    catch_up_all();
    EXPECT_FALSE(get(a)->deleted_at);
    EXPECT_FALSE(get(a)->is_active);
}

TEST_P(Links, CountPeopleOncePerVisitorAndLeaveBotsOut) {
    auto const a = tell(make("aaa"));
    auto const b = tell(make("bbb"));
    click(a, "v1");
    click(a, "v1");
    click(a, "v2");
    click(b, "v1");
    click(a, "robot", true);
    catch_up_all();
    click(a, "v2");
    click(a, "v3");
    catch_up_all();
    EXPECT_EQ(get(a)->total_clicks, 5);
    EXPECT_EQ(get(a)->unique_clicks, 3);
    EXPECT_EQ(get(b)->total_clicks, 1);
    EXPECT_EQ(get(b)->unique_clicks, 1);
}

TEST_P(Links, CountErasedClicksWithoutTheirVisitors) {
    auto const a = tell(make("aaa"));
    click(a, "v1", false, "yesterday");
    click(a, "v2", false, "yesterday");
    click(a, "v3", false, "today");
    story().erase("yesterday");
    catch_up_all();
    EXPECT_EQ(get(a)->total_clicks, 3);
    EXPECT_EQ(get(a)->unique_clicks, 1);
}

TEST_P(Links, AreFoundInAnyCaseOfAnyAlphabet) {
    tell(make("one", "Großer ÄRGER in der Straße"));
    tell(make("two", "ΜΕΓΑΛΟΣ Σίσυφος"));
    tell(make("three", "100% of_it\\"));
    tell(make("FOUR", "plain"));
    catch_up_all();
    EXPECT_THAT(search("ärger"), ElementsAre("one"));
    EXPECT_THAT(search("ÄRGER"), ElementsAre("one"));
    EXPECT_THAT(search("a\u0308rger"), ElementsAre("one"));
    EXPECT_THAT(search("STRASSE"), ElementsAre("one"));
    EXPECT_THAT(search("σίσυφοσ"), ElementsAre("two"));
    EXPECT_THAT(search("μεγαλος"), ElementsAre("two"));
    EXPECT_THAT(search("example.com/FOUR"), ElementsAre("FOUR"));
    EXPECT_THAT(search("four"), ElementsAre("FOUR"));
    EXPECT_THAT(search("100%"), ElementsAre("three"));
    EXPECT_THAT(search("100_"), IsEmpty());
    EXPECT_THAT(search("%"), ElementsAre("three"));
    EXPECT_THAT(search("f_it"), ElementsAre("three"));
    EXPECT_THAT(search("it\\"), ElementsAre("three"));
    EXPECT_THAT(search("' OR 1=1 --"), IsEmpty());
}

TEST_P(Links, AreListedInPagesNewestFirst) {
    for (int i = 0; i < 25; ++i) tell(make("code" + std::to_string(i)));
    auto foreign = make("foreign");
    foreign.workspace_id = {story().id()};
    tell(foreign);
    catch_up_all();
    link_list_query query;
    query.page = {1, 10, {}};
    auto const first = list(query);
    EXPECT_EQ(first.total_count, 25);
    ASSERT_EQ(first.items.size(), 10u);
    EXPECT_EQ(first.items.front().short_code, "code24");
    query.page.page = 3;
    auto const last = list(query);
    ASSERT_EQ(last.items.size(), 5u);
    EXPECT_EQ(last.items.back().short_code, "code0");
    query.page.page = 4;
    EXPECT_THAT(list(query).items, IsEmpty());

    auto everywhere =
        models_.read("links", [&](projections::snapshot const& rows) { return list_links(rows, {}); });
    EXPECT_EQ(everywhere.total_count, 26);
    link_list_query both;
    both.workspaces = {workspace_, foreign.workspace_id};
    both.sort = link_sort::title;
    everywhere =
        models_.read("links", [&](projections::snapshot const& rows) { return list_links(rows, both); });
    EXPECT_EQ(everywhere.total_count, 26);
    both.workspaces = std::vector<domain::workspace_id>{};
    everywhere =
        models_.read("links", [&](projections::snapshot const& rows) { return list_links(rows, both); });
    EXPECT_EQ(everywhere.total_count, 0);
}

TEST_P(Links, AreSortedByTitleAndByClicks) {
    tell(make("b", "beta"));
    auto const a = tell(make("a", "Alpha"));
    tell(make("n"));
    tell(make("g", "Gamma"));
    click(a, "v1");
    catch_up_all();
    link_list_query query;
    query.sort = link_sort::title;
    query.order = sort_order::asc;
    EXPECT_THAT(codes(query), ElementsAre("n", "a", "b", "g"));
    query.order = sort_order::desc;
    EXPECT_THAT(codes(query), ElementsAre("g", "b", "a", "n"));
    query.sort = link_sort::total_clicks;
    EXPECT_EQ(codes(query).front(), "a");
}

TEST_P(Links, AreFoundByTag) {
    auto a = make("a"), b = make("b"), c = make("c");
    a.tags = {"Red", "blue"};
    b.tags = {"blue"};
    tell(a);
    tell(b);
    tell(c);
    catch_up_all();
    link_list_query query;
    query.order = sort_order::asc;
    query.tag = "blue";
    EXPECT_THAT(codes(query), ElementsAre("a", "b"));
    query.tag = "Red";
    EXPECT_THAT(codes(query), ElementsAre("a"));
    query.tag = "red";
    EXPECT_THAT(codes(query), IsEmpty());
}

}  // namespace
}  // namespace linkledger::projections::links
