// What operators and tools read, and that the reference says what is true.

#include "api/endpoints.h"
#include "tests/api/service.h"

#include <boost/json.hpp>

#include <set>

namespace linkledger::tests {
namespace {

class SystemEndpoint : public ServiceTest {};

TEST_F(SystemEndpoint, TellsThatItLivesAndIsReady) {
    EXPECT_EQ(visitor.get("/healthz").status, 200);
    auto const ready = visitor.get("/readyz");
    EXPECT_EQ(ready.status, 200) << ready.body;
    std::set<std::string> names;
    auto const parsed = parse(ready);
    for (auto const& each : parsed.at("dependencies").as_array()) names.insert(text(each, "name"));
    EXPECT_TRUE(names.contains("log"));
    EXPECT_TRUE(names.contains("projection links"));
}

TEST_F(SystemEndpoint, IsNotReadyWithoutTheLog) {
    service_.faulty.from_now_on(test::fault::away);
    auto const ready = visitor.get("/readyz");
    EXPECT_EQ(ready.status, 503);
    EXPECT_EQ(text(parse(ready), "status"), "unavailable");
    EXPECT_EQ(visitor.get("/healthz").status, 200);
    service_.faulty.from_now_on(test::fault::none);
    EXPECT_EQ(visitor.get("/readyz").status, 200);
}

TEST_F(SystemEndpoint, CountsForPrometheus) {
    make_link({{"short_code", "metered"}});
    EXPECT_EQ(visitor.get("/metered").status, 302);
    auto const answer = visitor.get("/metrics");
    EXPECT_EQ(answer.status, 200);
    EXPECT_TRUE(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    for (auto const* line :
         {"linkledger_http_requests_total{method=\"GET\",endpoint=\"/{short_code}\",status=\"302\"} 1",
          "linkledger_http_request_duration_seconds_bucket{method=\"GET\",endpoint=\"/{short_code}\"",
          "linkledger_commit_duration_seconds_count", "linkledger_commit_batch_appends_sum",
          "linkledger_commit_queue_appends", "linkledger_link_cache_links", "linkledger_tail_position",
          "linkledger_projection_lag_events{projection=\"links\"", "linkledger_projection_parked_events",
          "process_resident_memory_bytes"})
        EXPECT_NE(answer.body.find(line), std::string::npos) << line;
    EXPECT_EQ(answer.body.find(service_.admin_key), std::string::npos);
}

class QueuedClicks : public ServiceTest {
protected:
    QueuedClicks() : ServiceTest({}, queued()) {}

private:
    static commands::bus_options queued() {
        commands::bus_options options;
        options.click_queued = true;
        return options;
    }
};

TEST_F(QueuedClicks, AreCountedWhenTheirCommitFailsAfterTheAnswer) {
    make_link({{"short_code", "metered"}});
    auto const lost = [&](std::string const& count) {
        auto const metrics = visitor.get("/metrics").body;
        return metrics.find("linkledger_clicks_lost_total " + count + "\n") != std::string::npos;
    };
    auto const before = service_.head();
    EXPECT_EQ(visitor.get("/metered").status, 302);
    EXPECT_TRUE(comes_true([&] { return service_.head() > before; }));
    EXPECT_TRUE(lost("0"));
    service_.faulty.close_gate();
    EXPECT_EQ(visitor.get("/metered").status, 302);
    service_.faulty.next({test::fault::damaged});
    service_.faulty.open_gate();
    EXPECT_TRUE(comes_true([&] { return lost("1"); }));
    // Refused before the answer is no loss: the visitor was told.
    service_.committer->drain(std::chrono::seconds{5});
    EXPECT_EQ(visitor.get("/metered").status, 503);
    EXPECT_TRUE(lost("1"));
}

TEST_F(SystemEndpoint, ListsProjections) {
    auto const answer = parse(get("/v1/projections"));
    std::set<std::string> names;
    for (auto const& each : answer.at("items").as_array()) names.insert(text(each, "name"));
    EXPECT_EQ(names, (std::set<std::string>{"accounts", "audit_logs", "clicks", "links", "realtime"}));
    EXPECT_EQ(visitor.get("/v1/projections").status, 401);
}

TEST_F(SystemEndpoint, LetsTheFirstAdminAloneRebuild) {
    auto boss = join("boss@example.com", "admin");
    auto const refused = boss.post("/v1/projections/links/rebuild", "");
    EXPECT_EQ(refused.status, 403);
    EXPECT_NE(refused.body.find("first admin key"), std::string::npos) << refused.body;
    EXPECT_EQ(admin.post("/v1/projections/links/rebuild", "").status, 503) << "this one rebuilds nothing";
}

TEST_F(SystemEndpoint, GivesEveryAnswerARequestId) {
    auto const id = std::string{"01927f0e-4c1b-7c3a-9d5e-2b8f6a1c0d42"};
    EXPECT_EQ(get("/v1/workspaces", {{"X-Request-Id", id}}).header("x-request-id"), id);
    EXPECT_EQ(get("/v1/workspaces", {{"X-Request-Id", "not one"}}).header("x-request-id").size(), 36u);
}

TEST_F(SystemEndpoint, DescribesEveryCommandAndPath) {
    auto const document = parse(visitor.get("/openapi.json"));
    EXPECT_EQ(text(document, "openapi"), "3.1.0");
    auto const& paths = document.at("paths").as_object();
    for (auto const& command : commands::command_table()) {
        auto const path = "/v1/commands/" + std::string{command.name};
        ASSERT_TRUE(paths.contains(path)) << path;
        auto const& operation = paths.at(path).at("post").as_object();
        EXPECT_TRUE(operation.contains("requestBody"));
        EXPECT_EQ(operation.contains("x-scope"), command.scope.has_value());
    }
    for (auto const& each : api::endpoints()) {
        if (each.path.find("{name}") == std::string_view::npos) {
            EXPECT_TRUE(paths.contains(each.path)) << each.path;
        }
    }
    EXPECT_TRUE(paths.contains("/{short_code}"));
}

/// Collects every `$ref`.
void references(boost::json::value const& in, std::set<std::string>& into) {
    if (auto const* object = in.if_object()) {
        for (auto const& member : *object) {
            if (member.key() == "$ref")
                into.insert(std::string{member.value().as_string()});
            else
                references(member.value(), into);
        }
    } else if (auto const* array = in.if_array()) {
        for (auto const& item : *array) references(item, into);
    }
}

TEST_F(SystemEndpoint, RefersOnlyToSchemasThatAreThere) {
    auto const document = parse(visitor.get("/openapi.json"));
    std::set<std::string> found;
    references(document, found);
    EXPECT_TRUE(found.contains("#/components/schemas/CreateLinkInput"));
    EXPECT_TRUE(found.contains("#/components/schemas/LinkRow"));
    for (auto const& reference : found) {
        auto const name = reference.substr(std::string{"#/components/schemas/"}.size());
        EXPECT_TRUE(document.at("components").at("schemas").as_object().contains(name)) << reference;
    }
}

/// The members of an answer are those that the reference names.
TEST_F(SystemEndpoint, AnswersAsTheReferenceSays) {
    auto const document = parse(visitor.get("/openapi.json"));
    auto const link = make_link();
    auto const members = [](json const& object) {
        std::set<std::string> names;
        for (auto const& member : object.as_object()) names.insert(std::string{member.key()});
        return names;
    };
    auto const schema = [&](char const* name) {
        return members(document.at("components").at("schemas").at(name).at("properties"));
    };
    EXPECT_EQ(members(read("/v1/links/" + text(link, "link_id"))), schema("LinkRow"));
    EXPECT_EQ(members(read("/v1/links")), schema("PageOfLinkRow"));
    auto const events = parse(get("/v1/events"));
    EXPECT_EQ(members(events), schema("EventPage"));
    EXPECT_EQ(members(events.at("items").at(0)), schema("Event"));
    EXPECT_EQ(members(done("DisableLink", {{"link_id", link.at("link_id")}})), schema("CommandAnswer"));
    EXPECT_EQ(members(parse(get("/v1/projections")).at("items").at(0)), schema("ProjectionStatus"));
}

TEST_F(SystemEndpoint, ServesAPageThatNeedsNothingFromElsewhere) {
    auto const page = visitor.get("/docs");
    EXPECT_EQ(page.status, 200);
    EXPECT_EQ(page.header("content-type"), "text/html; charset=utf-8");
    EXPECT_NE(page.header("content-security-policy").find("default-src 'none'"), std::string::npos);
    EXPECT_EQ(page.body.find("src="), std::string::npos);
    EXPECT_EQ(page.body.find("<link"), std::string::npos);
    EXPECT_EQ(page.body.find("@import"), std::string::npos);
    EXPECT_NE(page.body.find("/openapi.json"), std::string::npos);
}

}  // namespace
}  // namespace linkledger::tests
