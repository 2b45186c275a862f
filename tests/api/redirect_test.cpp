// What visitors meet: the way on, a form, a page that says why not.

#include "tests/api/service.h"

#include <boost/json.hpp>

#include <thread>

namespace linkledger::tests {
namespace {

using boost::json::object;

class Redirect : public ServiceTest {
protected:
    std::int64_t clicks() {
        std::int64_t count = 0;
        auto const page = service_.log->read({});  // Named: it must outlive the loop.
        for (auto const& event : page.value().events) count += event.body.type == "link.clicked";
        return count;
    }
    http_headers const html{{"Accept", "text/html,*/*;q=0.8"}};
    http_headers const form{{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "text/html"}};
};

TEST_F(Redirect, SendsTheVisitorOnOnceTheClickIsDurable) {
    make_link({{"short_code", "go-there"}, {"url", "https://example.com/p?q=1#f"}});
    auto const answer = visitor.get("/go-there");
    EXPECT_EQ(answer.status, 302);
    EXPECT_EQ(answer.header("location"), "https://example.com/p?q=1#f");
    EXPECT_EQ(answer.header("cache-control"), "private, max-age=0");
    EXPECT_EQ(answer.header("content-length"), "0");
    EXPECT_EQ(clicks(), 1);
}

TEST_F(Redirect, DoesNotCountHead) {
    make_link({{"short_code", "heads"}});
    auto const answer = visitor.head("/heads");
    EXPECT_EQ(answer.status, 302);
    EXPECT_FALSE(answer.header("location").empty());
    EXPECT_EQ(clicks(), 0);
}

TEST_F(Redirect, Says404And410InTheReadersLanguage) {
    auto const link = make_link({{"short_code", "leaving"}});
    auto const unknown = visitor.get("/nowhere");
    EXPECT_EQ(unknown.status, 404);
    EXPECT_EQ(problem_code(unknown), "not_found");
    auto const page = visitor.get("/nowhere", html);
    EXPECT_EQ(page.status, 404);
    EXPECT_EQ(page.header("content-type"), "text/html; charset=utf-8");
    EXPECT_EQ(page.header("x-content-type-options"), "nosniff");
    EXPECT_NE(page.header("content-security-policy").find("frame-ancestors 'none'"), std::string::npos);
    object const id{{"link_id", link.at("link_id")}};
    done("DisableLink", id);
    EXPECT_EQ(visitor.get("/leaving").status, 410);
    done("EnableLink", id);
    EXPECT_EQ(visitor.get("/leaving").status, 302);
    done("DeleteLink", id);
    auto const gone = visitor.get("/leaving");
    EXPECT_EQ(gone.status, 410);
    EXPECT_EQ(problem_code(gone), "link_gone");
    EXPECT_EQ(visitor.get("/leaving", html).status, 410);
    EXPECT_EQ(clicks(), 1);
}

TEST_F(Redirect, StopsAtMaxClicks) {
    make_link({{"short_code", "capped"}, {"max_clicks", 2}});
    EXPECT_EQ(visitor.get("/capped").status, 302);
    EXPECT_EQ(visitor.get("/capped").status, 302);
    EXPECT_EQ(visitor.get("/capped").status, 410);
    EXPECT_EQ(clicks(), 2);
}

TEST_F(Redirect, AsksForALinksPassword) {
    make_link({{"short_code", "locked"}, {"password", "open & sesame"}});
    auto const asked = visitor.get("/locked", html);
    EXPECT_EQ(asked.status, 401);
    EXPECT_NE(asked.body.find("<form method=\"post\">"), std::string::npos);
    EXPECT_EQ(asked.header("location"), "");
    EXPECT_EQ(problem_code(visitor.get("/locked")), "password_required");
    auto const wrong = visitor.post("/locked", "password=guess", form);
    EXPECT_EQ(wrong.status, 401);
    EXPECT_NE(wrong.body.find("not the password"), std::string::npos);
    EXPECT_EQ(clicks(), 0);
    auto const right = visitor.post("/locked", "password=open+%26+sesame", form);
    EXPECT_EQ(right.status, 302);
    EXPECT_EQ(right.header("location"), "https://example.com/page");
    EXPECT_EQ(clicks(), 1);
    EXPECT_EQ(visitor.post("/locked", "{\"password\":\"x\"}", {{"Content-Type", "application/json"}}).status,
              415);
    EXPECT_EQ(visitor.post("/locked", "password=" + std::string(2'000, 'x'), form).status, 415);
}

TEST_F(Redirect, EscapesWhatALocationMayNotHold) {
    make_link({{"short_code", "umlaut"}, {"url", "https://example.com/gr\u00fcn"}});
    EXPECT_EQ(visitor.get("/umlaut").header("location"), "https://example.com/gr%C3%BCn");
}

TEST_F(Redirect, LeavesReservedAndOddPathsAlone) {
    EXPECT_EQ(visitor.get("/").status, 404);
    EXPECT_EQ(visitor.get("/" + std::string(51, 'a')).status, 404);
    EXPECT_EQ(visitor.get("/..%2Fetc%2Fpasswd").status, 404);
    EXPECT_EQ(visitor.get("/a/b").status, 404);
    EXPECT_EQ(visitor.get("/caf%C3%A9").status, 404);
    EXPECT_EQ(visitor.get("/healthz").status, 200);
    auto const other = visitor.request("DELETE", "/go", "", {});
    EXPECT_EQ(other.status, 405);
    EXPECT_EQ(other.header("allow"), "GET, HEAD, POST");
    EXPECT_EQ(clicks(), 0);
}

TEST_F(Redirect, Is503WithRetryAfterWhenTheClickCannotBeKept) {
    make_link({{"short_code", "later"}});
    EXPECT_EQ(visitor.get("/later").status, 302);
    service_.faulty.from_now_on(test::fault::away);
    auto const answer = visitor.get("/later");
    EXPECT_EQ(answer.status, 503);
    EXPECT_FALSE(answer.header("retry-after").empty());
    auto const page = visitor.get("/later", html);
    EXPECT_EQ(page.status, 503);
    EXPECT_FALSE(page.header("retry-after").empty());
    service_.faulty.from_now_on(test::fault::none);
    EXPECT_TRUE(comes_true([&] { return visitor.get("/later").status == 302; }));
    EXPECT_EQ(clicks(), 2);
}

TEST_F(Redirect, FinishesAClickInFlightBeforeTheServiceStops) {
    make_link({{"short_code", "last"}});
    EXPECT_EQ(visitor.get("/last").status, 302);
    auto const before = service_.faulty.batches().size();
    service_.faulty.close_gate();
    raw_connection late(service_.port());
    late.send("GET /last HTTP/1.1\r\nHost: x\r\n\r\n");
    service_.faulty.wait_for_appends(before + 1);
    std::thread stopping([&] { EXPECT_TRUE(service_.http->stop(std::chrono::seconds{20})); });
    service_.faulty.open_gate();
    auto const answer = late.receive_response();
    late.half_close();
    stopping.join();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 302);
    EXPECT_EQ(clicks(), 2);
}

}  // namespace
}  // namespace linkledger::tests
