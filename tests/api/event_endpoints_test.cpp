// The log over HTTP: pages, lines and the live tail, and what is kept from whom.

#include "tests/api/service.h"

#include <boost/json.hpp>

namespace linkledger::tests {
namespace {

using boost::json::array;
using boost::json::object;

class EventEndpoint : public ServiceTest {
protected:
    EventEndpoint() : ServiceTest(checking_often()) {}
    static api::application_options checking_often() {
        api::application_options options;
        options.stream_check = std::chrono::milliseconds{50};
        return options;
    }
    /// A request whose answer is read piece by piece.
    raw_connection open(std::string const& target, std::string const& headers, std::string const& key) {
        raw_connection connection(service_.port());
        connection.send("GET " + target + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + key + "\r\n" +
                        headers + "\r\n");
        return connection;
    }
    raw_connection open(std::string const& target, std::string const& headers) {
        return open(target, headers, service_.admin_key);
    }
};

TEST_F(EventEndpoint, GivesPagesWithACursorAndTheHead) {
    make_link();
    auto const head = service_.head();
    auto const first = parse(get("/v1/events?limit=2"));
    ASSERT_EQ(first.at("items").as_array().size(), 2u);
    EXPECT_EQ(first.at("head").as_int64(), head);
    auto const& event = first.at("items").at(0);
    for (auto const* field : {"position", "event_id", "stream", "version", "workspace_id", "type",
                              "schema_version", "occurred_at", "recorded_at", "data", "personal", "metadata"})
        EXPECT_TRUE(event.as_object().contains(field)) << field;
    EXPECT_EQ(event.at("position").as_int64(), 1);
    auto const rest = parse(get("/v1/events?after=" + std::to_string(first.at("after").as_int64())));
    EXPECT_EQ(rest.at("items").as_array().size(), static_cast<std::size_t>(head - 2));
    EXPECT_EQ(rest.at("after").as_int64(), head);
}

TEST_F(EventEndpoint, NarrowsByTypeStreamAndWorkspace) {
    auto const link = make_link();
    make_link();
    EXPECT_EQ(parse(get("/v1/events?type=link.created")).at("items").as_array().size(), 2u);
    EXPECT_EQ(parse(get("/v1/events?stream=link-" + text(link, "link_id"))).at("items").as_array().size(),
              1u);
    EXPECT_EQ(parse(get("/v1/events?workspace_id=" + workspace_id)).at("items").as_array().size(), 3u);
}

TEST_F(EventEndpoint, NeverShowsTheHashOfALinksPassword) {
    auto const link = make_link({{"password", "open sesame"}});
    done("UpdateLink", {{"link_id", link.at("link_id")}, {"password", "another one"}});
    for (std::string const& target :
         {std::string{"/v1/events"}, "/v1/links/" + text(link, "link_id") + "/history"}) {
        auto const answer = get(target);
        EXPECT_EQ(answer.status, 200);
        EXPECT_NE(answer.body.find("link.updated"), std::string::npos);
        EXPECT_EQ(answer.body.find("argon2"), std::string::npos);
        EXPECT_EQ(answer.body.find("sesame"), std::string::npos);
    }
}

TEST_F(EventEndpoint, ShowsPersonalPartsUntilTheyAreErased) {
    done("InviteMember", {{"workspace_id", workspace_id}, {"email", "ann@example.com"}, {"role", "viewer"}});
    auto const before = parse(get("/v1/events?type=user.invited")).at("items").at(0);
    EXPECT_EQ(text(before.at("personal"), "email"), "ann@example.com");
    auto const stored = service_.log->read({}).value().events.back();
    ASSERT_TRUE(service_.keys.destroy(stored.body.personal.key_id).has_value());
    auto const after = parse(get("/v1/events?type=user.invited")).at("items").at(0);
    EXPECT_TRUE(after.at("personal").is_null());
    EXPECT_EQ(after.at("data"), before.at("data"));
}

TEST_F(EventEndpoint, NeedsTheAuditScopeAndShowsAWorkspaceAlone) {
    auto ann = join("ann@example.com", "member");
    EXPECT_EQ(ann.get("/v1/events").status, 403);
    auto const key =
        done("IssueApiKey", {{"workspace_id", workspace_id}, {"name", "audit"}, {"scopes", array{"audit"}}});
    auto auditor = service_.client(text(key.at("result"), "api_key"));
    auto const other = done("CreateWorkspace", {{"name", "Other"}, {"slug", "other"}});
    auto const seen = parse(auditor.get("/v1/events?limit=1000"));
    EXPECT_FALSE(seen.at("items").as_array().empty());
    for (auto const& event : seen.at("items").as_array())
        EXPECT_EQ(text(event, "workspace_id"), workspace_id);
    auto const other_id = text(other.at("result"), "workspace_id");
    EXPECT_EQ(auditor.get("/v1/events?workspace_id=" + other_id).status, 404);
}

TEST_F(EventEndpoint, ListsTheLogAsLines) {
    for (int i = 0; i < 20; ++i) make_link();
    auto const answer = get("/v1/events", {{"Accept", "application/x-ndjson"}});
    EXPECT_EQ(answer.header("content-type"), "application/x-ndjson");
    std::int64_t expected = 0;
    for (std::string_view rest = answer.body; !rest.empty();) {
        auto const end = rest.find('\n');
        ASSERT_NE(end, std::string_view::npos);
        auto const event = boost::json::parse(boost::json::string_view{rest.data(), end});
        EXPECT_EQ(event.at("position").as_int64(), ++expected);
        rest.remove_prefix(end + 1);
    }
    EXPECT_EQ(expected, service_.head());
}

TEST_F(EventEndpoint, FollowsTheLogLiveFromTheLastEventId) {
    auto live =
        open("/v1/events",
             "Accept: text/event-stream\r\nLast-Event-ID: " + std::to_string(service_.head()) + "\r\n");
    EXPECT_NE(live.receive_until("\r\n\r\n").find("text/event-stream"), std::string::npos);
    make_link({{"short_code", "while-live"}});
    auto const told = live.receive_until("\n\n\r\n");
    auto const more = told.find("while-live") == std::string::npos ? live.receive_until("\n\n\r\n") : told;
    EXPECT_NE(more.find("id: " + std::to_string(service_.head())), std::string::npos) << more;
    EXPECT_NE(more.find("event: link.created"), std::string::npos) << more;
    EXPECT_EQ(get("/v1/events", {{"Accept", "text/event-stream"}, {"Last-Event-ID", "x"}}).status, 400);
}

TEST_F(EventEndpoint, EndsLiveStreamsWhenTheirKeyIsRevoked) {
    auto const link = make_link();
    (void)read("/v1/links/" + text(link, "link_id"));
    auto const made =
        done("IssueApiKey",
             {{"workspace_id", workspace_id}, {"name", "auditor"}, {"scopes", array{"audit", "read"}}});
    auto const key = text(made.at("result"), "api_key");
    auto const live = "Accept: text/event-stream\r\n";
    auto events = open("/v1/events", live, key);
    auto counts = open("/v1/links/" + text(link, "link_id") + "/realtime", live, key);
    (void)events.receive_until("\n\n");
    (void)counts.receive_until("\n\n");
    done("RevokeApiKey", {{"api_key_id", made.at("result").at("api_key_id")}});
    EXPECT_TRUE(events.receive_all().ends_with("0\r\n\r\n"));
    EXPECT_TRUE(counts.receive_all().ends_with("0\r\n\r\n"));
}

TEST_F(EventEndpoint, EndsLiveStreamsWhenTheServiceStops) {
    auto live = open("/v1/events", "Accept: text/event-stream\r\n");
    (void)live.receive_until("\n\n");
    EXPECT_TRUE(service_.http->stop(std::chrono::seconds{10}));
    EXPECT_TRUE(live.receive_all().ends_with("0\r\n\r\n"));
}

TEST_F(EventEndpoint, FollowsTheCountOfALinkLive) {
    auto const link = make_link({{"short_code", "watched"}});
    (void)read("/v1/links/" + text(link, "link_id"));  // The read model has it.
    auto live = open("/v1/links/" + text(link, "link_id") + "/realtime", "Accept: text/event-stream\r\n");
    EXPECT_NE(live.receive_until("\r\n\r\n").find("text/event-stream"), std::string::npos);
    EXPECT_NE(live.receive_until("}\n\n").find("data: {\"count\":0,"), std::string::npos);
    http_headers const browser{{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/128.0"}};
    EXPECT_EQ(visitor.get("/watched", browser).status, 302);
    auto const told = live.receive_until("}\n\n");
    EXPECT_NE(told.find("id: " + std::to_string(service_.head()) + "\n"), std::string::npos) << told;
    EXPECT_NE(told.find("data: {\"count\":1,"), std::string::npos) << told;
    EXPECT_TRUE(service_.http->stop(std::chrono::seconds{10}));
    EXPECT_TRUE(live.receive_all().ends_with("0\r\n\r\n"));
}

TEST_F(EventEndpoint, TellsALinksHistoryWithoutItsClicks) {
    auto const link = make_link({{"short_code", "history"}});
    EXPECT_EQ(visitor.get("/history").status, 302);
    done("DisableLink", {{"link_id", link.at("link_id")}});
    auto const page = parse(get("/v1/links/" + text(link, "link_id") + "/history"));
    auto const& items = page.at("items").as_array();
    ASSERT_EQ(items.size(), 2u);
    EXPECT_EQ(text(items[0], "type"), "link.created");
    EXPECT_EQ(text(items[1], "type"), "link.disabled");
    EXPECT_EQ(get("/v1/links/00000000-0000-7000-8000-000000000000/history").status, 404);
}

}  // namespace
}  // namespace linkledger::tests
