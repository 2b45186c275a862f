// What every answer says to browsers and caches.

#include "tests/api/service.h"

namespace linkledger::tests {
namespace {

class SecurityHeaders : public ServiceTest {
protected:
    http_headers const browser_{{"Accept", "text/html"}};
};

TEST_F(SecurityHeaders, LetNothingBeSniffedOrKeptByOthers) {
    auto const id = text(make_link(), "link_id");
    for (std::string const& target :
         {std::string{"/v1/workspaces"}, std::string{"/v1/links"}, "/v1/links/" + id,
          "/v1/links/" + id + "/stats", "/v1/links/" + id + "/history", std::string{"/v1/events"},
          std::string{"/v1/projections"}, std::string{"/healthz"}, std::string{"/readyz"},
          std::string{"/metrics"}, std::string{"/openapi.json"}, std::string{"/docs"},
          std::string{"/no-such-code"}, std::string{"/v1/nothing"}, std::string{"/v1/links/1"}}) {
        auto const answer = get(target);
        EXPECT_EQ(answer.header("x-content-type-options"), "nosniff") << target;
        auto const caching = answer.header("cache-control");
        EXPECT_TRUE(caching.find("no-store") != std::string::npos || caching == "no-cache")
            << target << caching;
        EXPECT_EQ(answer.header("server"), "") << target;
        EXPECT_EQ(answer.header("access-control-allow-origin"), "") << target;
        EXPECT_EQ(answer.header("set-cookie"), "") << target;
    }
}

TEST_F(SecurityHeaders, KeepPagesOutOfFramesAndScriptsOutOfPages) {
    make_link({{"short_code", "locked"}, {"password", "open sesame"}});
    for (auto const* target : {"/docs", "/locked", "/no-such-code"}) {
        auto const page = visitor.get(target, browser_);
        auto const policy = page.header("content-security-policy");
        EXPECT_EQ(page.header("content-type"), "text/html; charset=utf-8") << target;
        EXPECT_NE(policy.find("default-src 'none'"), std::string::npos) << target;
        EXPECT_NE(policy.find("frame-ancestors 'none'"), std::string::npos) << target;
        EXPECT_NE(policy.find("base-uri 'none'"), std::string::npos) << target;
        EXPECT_EQ(page.header("referrer-policy"), "no-referrer") << target;
        EXPECT_EQ(page.header("x-content-type-options"), "nosniff") << target;
    }
}

TEST_F(SecurityHeaders, KeepRedirectsAndPasswordsOutOfSharedCaches) {
    make_link({{"short_code", "open"}});
    make_link({{"short_code", "locked"}, {"password", "open sesame"}});
    EXPECT_EQ(visitor.get("/open").header("cache-control"), "private, max-age=0");
    EXPECT_EQ(visitor.get("/locked", browser_).header("cache-control"), "private, no-store");
    auto const passed = visitor.post("/locked", "password=open+sesame",
                                     {{"Content-Type", "application/x-www-form-urlencoded"}});
    EXPECT_EQ(passed.status, 302);
    EXPECT_EQ(passed.header("cache-control"), "private, max-age=0");
}

/// What a member writes comes back as data alone: JSON that no browser takes for a page, and a Location in
/// ASCII.
TEST_F(SecurityHeaders, HoldNothingThatAUserWrote) {
    auto const script = "<script>alert(1)</script>\"'&";
    auto const made = make_link({{"short_code", "odd"},
                                 {"title", script},
                                 {"description", script},
                                 {"password", "open sesame"},
                                 {"tags", boost::json::array{script}}});
    auto const row = get_in_time(
        admin, "/v1/links/" + text(made, "link_id") + "?after=" + std::to_string(service_.head()));
    EXPECT_EQ(row.header("content-type"), "application/json");
    EXPECT_EQ(row.header("x-content-type-options"), "nosniff");
    EXPECT_EQ(text(parse(row), "title"), script);
    auto const page = visitor.get("/odd", browser_);
    EXPECT_EQ(page.body.find("alert(1)"), std::string::npos);
    auto const unknown = visitor.get("/%3Cscript%3Ealert(1)%3C%2Fscript%3E", browser_);
    EXPECT_EQ(unknown.body.find("alert(1)"), std::string::npos);
    auto const link = make_link({{"short_code", "far"}, {"url", "https://example.com/a\"<b>|\xC3\xA9"}});
    EXPECT_EQ(visitor.get("/far").header("location"), "https://example.com/a%22%3Cb%3E%7C%C3%A9");
}

}  // namespace
}  // namespace linkledger::tests
