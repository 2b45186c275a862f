// Reads: what was just written is there, pages hold together, and nobody sees another workspace.

#include "tests/api/service.h"

#include <boost/json.hpp>

namespace linkledger::tests {
namespace {

using boost::json::array;
using boost::json::object;

class ReadEndpoint : public ServiceTest {
protected:
    [[nodiscard]] std::string here(std::string const& rest = "") const {
        return "/v1/workspaces/" + workspace_id + rest;
    }
};

TEST_F(ReadEndpoint, ReflectsThePositionThatIsAskedFor) {
    auto const link = make_link({{"title", "Fresh"}});
    auto const after = std::to_string(service_.head());
    auto const answer = get_in_time(admin, "/v1/links/" + text(link, "link_id") + "?after=" + after);
    EXPECT_EQ(answer.status, 200);
    EXPECT_GE(std::stoll(answer.header("x-projection-position")), std::stoll(after));
    auto const row = parse(answer);
    EXPECT_EQ(text(row, "title"), "Fresh");
    EXPECT_TRUE(row.at("description").is_null());
    EXPECT_EQ(row.at("total_clicks").as_int64(), 0);
}

TEST_F(ReadEndpoint, Is504WhenTheReadModelIsBehind) {
    auto const beyond = std::to_string(service_.head() + 1'000);
    auto const answer = get(here("?wait_ms=10&after=" + beyond));
    EXPECT_EQ(answer.status, 504);
    EXPECT_EQ(problem_code(answer), "projection_behind");
    EXPECT_FALSE(answer.header("x-projection-position").empty());
}

TEST_F(ReadEndpoint, PagesThroughLinksInOrder) {
    for (int i = 0; i < 5; ++i) make_link({{"title", "Link " + std::to_string(i)}});
    auto const first = read("/v1/links?per_page=2&sort=title&order=asc");
    EXPECT_EQ(first.at("total_count").as_int64(), 5);
    EXPECT_EQ(first.at("per_page").as_int64(), 2);
    ASSERT_EQ(first.at("items").as_array().size(), 2u);
    EXPECT_EQ(text(first.at("items").at(0), "title"), "Link 0");
    auto const last = read("/v1/links?per_page=2&sort=title&order=asc&page=3");
    ASSERT_EQ(last.at("items").as_array().size(), 1u);
    EXPECT_EQ(text(last.at("items").at(0), "title"), "Link 4");
    EXPECT_EQ(read("/v1/links?page=9").at("items").as_array().size(), 0u);
}

TEST_F(ReadEndpoint, FindsLinksByTextAndTag) {
    make_link({{"title", "R\u00c9SUM\u00c9 of the year"}, {"tags", array{"news"}}});
    make_link({{"title", "Something else"}});
    EXPECT_EQ(read("/v1/links?search=r%C3%A9sum%C3%A9").at("total_count").as_int64(), 1);
    EXPECT_EQ(read("/v1/links?search=100%25").at("total_count").as_int64(), 0);
    EXPECT_EQ(read("/v1/links?tag=news").at("total_count").as_int64(), 1);
    EXPECT_EQ(read("/v1/links?workspace_id=" + workspace_id).at("total_count").as_int64(), 2);
}

TEST_F(ReadEndpoint, ShowsWorkspacesMembersAndInvitations) {
    join("ann@example.com", "member");
    done("InviteMember", {{"workspace_id", workspace_id}, {"email", "bob@example.com"}, {"role", "viewer"}});
    EXPECT_EQ(text(read(here()), "slug"), "acme");
    EXPECT_EQ(read("/v1/workspaces").at("total_count").as_int64(), 1);
    auto const members = read(here("/members?sort=email"));
    EXPECT_EQ(members.at("total_count").as_int64(), 2);
    EXPECT_EQ(read(here("/members?search=ANN")).at("total_count").as_int64(), 1);
    EXPECT_EQ(read(here("/invitations")).at("total_count").as_int64(), 2);
    auto const open = read(here("/invitations?open=true"));
    ASSERT_EQ(open.at("total_count").as_int64(), 1);
    EXPECT_EQ(text(open.at("items").at(0), "email"), "bob@example.com");
}

TEST_F(ReadEndpoint, CountsClicksAndShowsThem) {
    auto const link = make_link({{"short_code", "counted"}});
    auto const path = "/v1/links/" + text(link, "link_id");
    http_headers const browser{{"User-Agent",
                                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like "
                                "Gecko) Chrome/120.0.0.0 Safari/537.36"},
                               {"Referer", "https://news.example/today"}};
    for (int i = 0; i < 3; ++i) EXPECT_EQ(visitor.get("/counted?utm_source=mail", browser).status, 302);
    EXPECT_EQ(read(path).at("total_clicks").as_int64(), 3);
    EXPECT_EQ(read(path).at("unique_clicks").as_int64(), 1);
    auto const clicks = read(path + "/clicks?per_page=2&order=asc");
    EXPECT_EQ(clicks.at("total_count").as_int64(), 3);
    auto const& click = clicks.at("items").at(0);
    EXPECT_EQ(text(click, "browser"), "Chrome");
    EXPECT_EQ(text(click, "utm_source"), "mail");
    EXPECT_EQ(text(click, "referer_domain"), "news.example");
    EXPECT_TRUE(click.at("ip_address").is_null());
    auto const rest = read(path + "/clicks?per_page=2&order=asc&cursor=" + text(clicks, "cursor"));
    EXPECT_EQ(rest.at("items").as_array().size(), 1u);
    auto const stats = read(path + "/stats?interval=hour");
    EXPECT_EQ(stats.at("total_clicks").as_int64(), 3);
    EXPECT_EQ(text(stats.at("browsers").at(0), "value"), "Chrome");
    EXPECT_GE(stats.at("series").as_array().size(), 1u);
    EXPECT_EQ(read(path + "/clicks?from=2100-01-01T00:00:00Z").at("total_count").as_int64(), 0);
}

TEST_F(ReadEndpoint, CountsTheClicksOfTheCurrentWindow) {
    auto const link = make_link({{"short_code", "counted"}});
    auto const path = "/v1/links/" + text(link, "link_id") + "/realtime";
    auto const before = read(path);
    EXPECT_EQ(before.at("count").as_int64(), 0);
    EXPECT_TRUE(before.at("window_opened_at").is_null());
    EXPECT_TRUE(before.at("expires_at").is_null());
    http_headers const browser{{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/128.0"}};
    for (int i = 0; i < 3; ++i) EXPECT_EQ(visitor.get("/counted", browser).status, 302);
    for (auto const& where : {path, here("/realtime")}) {
        auto const answer = read(where);
        EXPECT_EQ(answer.at("count").as_int64(), 3) << where;
        auto const opened = domain::parse_timestamp(text(answer, "window_opened_at"));
        auto const expires = domain::parse_timestamp(text(answer, "expires_at"));
        ASSERT_TRUE(opened && expires) << where;
        EXPECT_EQ(*expires - *opened, std::chrono::seconds{86'400});
    }
    EXPECT_EQ(visitor.get(path).status, 401);
    EXPECT_EQ(get("/v1/links/00000000-0000-7000-8000-000000000000/realtime").status, 404);
    EXPECT_EQ(get("/v1/workspaces/00000000-0000-7000-8000-000000000000/realtime").status, 404);
}

TEST_F(ReadEndpoint, TellsWhoDidWhat) {
    auto const link = make_link({{"title", "Old"}});
    done("UpdateLink", {{"link_id", link.at("link_id")}, {"title", "New"}});
    auto const rows = read(here("/audit-logs?action=link.updated"));
    ASSERT_EQ(rows.at("total_count").as_int64(), 1);
    auto const& row = rows.at("items").at(0);
    EXPECT_EQ(text(row.at("old_values"), "title"), "Old");
    EXPECT_EQ(text(row.at("new_values"), "title"), "New");
    EXPECT_EQ(text(row, "resource_id"), text(link, "link_id"));
}

TEST_F(ReadEndpoint, HidesOtherWorkspaces) {
    auto ann = join("ann@example.com", "member");
    auto const link = make_link();
    auto const other = done("CreateWorkspace", {{"name", "Other"}, {"slug", "other"}});
    auto const other_id = text(other.at("result"), "workspace_id");
    auto const hidden = done("CreateLink", {{"workspace_id", other_id}, {"url", "https://example.com/"}});
    auto const hidden_id = text(hidden.at("result"), "link_id");
    auto const after = "after=" + std::to_string(service_.head());

    EXPECT_EQ(get_in_time(ann, "/v1/links/" + text(link, "link_id") + "?" + after).status, 200);
    auto const links = parse(get_in_time(ann, "/v1/links?" + after));
    EXPECT_EQ(links.at("total_count").as_int64(), 1);
    EXPECT_EQ(parse(get_in_time(ann, "/v1/workspaces?" + after)).at("total_count").as_int64(), 1);
    for (std::string const& path :
         {"/v1/links/" + hidden_id, "/v1/links/" + hidden_id + "/clicks", "/v1/links/" + hidden_id + "/stats",
          "/v1/links/" + hidden_id + "/history", "/v1/workspaces/" + other_id,
          "/v1/workspaces/" + other_id + "/members", "/v1/workspaces/" + other_id + "/invitations",
          "/v1/links?workspace_id=" + other_id}) {
        auto const answer = ann.get(path);
        EXPECT_EQ(answer.status, 404) << path << answer.body;
        EXPECT_EQ(problem_code(answer), "not_found") << path;
    }
    EXPECT_EQ(ann.get(here("/audit-logs")).status, 403);
}

TEST_F(ReadEndpoint, RefusesUnknownAndBadParametersByName) {
    struct bad_query {
        std::string query;
        char const* field;
    };
    std::vector<bad_query> const cases{
        {"colour=red", "colour"},
        {"page=0", "page"},
        {"page=two", "page"},
        {"per_page=101", "per_page"},
        {"sort=url", "sort"},
        {"order=up", "order"},
        {"after=-1", "after"},
        {"wait_ms=5001", "wait_ms"},
        {"page=1&page=2", "page"},
        {"workspace_id=x", "workspace_id"},
        {"deleted=maybe", "deleted"},
        {"search=" + std::string(501, 's'), "search"},
        {"search=%C3%28", "query"},
        {"search=%zz", "query"},
        {"page=99999999999999999999", "page"},
    };
    for (auto const& [query, field] : cases) {
        auto const answer = get("/v1/links?" + query);
        EXPECT_EQ(answer.status, 400) << query.substr(0, 40);
        EXPECT_EQ(problem_code(answer), "invalid_input");
        EXPECT_EQ(text(parse(answer).at("errors").at(0), "field"), field) << query.substr(0, 40);
    }
    EXPECT_EQ(get("/v1/links/not-a-uuid").status, 400);
    EXPECT_EQ(get("/v1/links/00000000-0000-7000-8000-000000000000").status, 404);
    EXPECT_EQ(get("/v1/nothing").status, 404);
    EXPECT_EQ(get("/v1/links/").status, 404);
    EXPECT_EQ(admin.post("/v1/links", "{}").status, 405);
    EXPECT_EQ(visitor.get("/v1/links").status, 401);
}

}  // namespace
}  // namespace linkledger::tests
