// Reads at earlier moments: each is held against what the read model said at that moment.

#include "tests/api/service.h"

#include <boost/json.hpp>

#include <thread>

namespace linkledger::tests {
namespace {

using boost::json::object;

class AsOf : public ServiceTest {
protected:
    /// What a read said when the log ended at a position and time.
    struct memory {
        eventlog::position position;
        std::string time;
        json answer;
    };
    memory remember(std::string const& target) {
        auto answer = read(target);
        auto const head = service_.log->head().value();
        memory made{head.last, domain::to_rfc3339(head.recorded_at), std::move(answer)};
        std::this_thread::sleep_for(std::chrono::milliseconds{2});  // The next event has another time.
        return made;
    }
    void expect_remembered(std::string const& target, std::vector<memory> const& memories) {
        auto const mark = target.find('?') == std::string::npos ? "?" : "&";
        for (auto const& then : memories)
            for (auto const& moment : {std::to_string(then.position), then.time})
                EXPECT_EQ(parse(get(target + mark + "as_of=" + moment)), then.answer)
                    << target << " " << moment;
    }
    void click(std::string const& code, std::string const& agent) {
        EXPECT_EQ(visitor.get("/" + code, {{"User-Agent", agent}}).status, 302);
    }
};

TEST_F(AsOf, ALinkIsWhatItWas) {
    auto const link = make_link({{"title", "First"}, {"tags", {"a", "b"}}});
    auto const id = text(link, "link_id");
    auto const path = "/v1/links/" + id;
    std::vector<memory> memories{remember(path)};
    done("UpdateLink", {{"link_id", id}, {"title", nullptr}, {"url", "https://example.org/second"}});
    memories.push_back(remember(path));
    click(text(link, "short_code"), "Mozilla/5.0 one");
    click(text(link, "short_code"), "Mozilla/5.0 two");
    memories.push_back(remember(path));
    click(text(link, "short_code"), "Mozilla/5.0 two");
    done("DisableLink", {{"link_id", id}});
    memories.push_back(remember(path));
    done("DeleteLink", {{"link_id", id}});
    memories.push_back(remember(path));
    done("RestoreLink", {{"link_id", id}});
    done("UpdateLink", {{"link_id", id}, {"password", "secret enough"}, {"tags", {"c"}}, {"max_clicks", 7}});
    memories.push_back(remember(path));
    expect_remembered(path, memories);
}

TEST_F(AsOf, StatsCountWhatWasRecordedUntilThen) {
    auto const link = make_link();
    auto const path = "/v1/links/" + text(link, "link_id") + "/stats?interval=hour";
    std::vector<memory> memories{remember(path)};
    for (int i = 0; i < 6; ++i) {
        click(text(link, "short_code"), "Mozilla/5.0 visitor " + std::to_string(i % 4));
        memories.push_back(remember(path));
    }
    expect_remembered(path, memories);
}

/// A batch of clicks has one time of recording; positions still tell them apart.
TEST_F(AsOf, PositionsWithinABatchAreToldApart) {
    auto const link = make_link();
    boost::json::array bulk;
    for (int i = 0; i < 20; ++i)
        bulk.push_back(object{
            {"command", "ClickLink"},
            {"data", {{"link_id", text(link, "link_id")}, {"visitor", "visitor-" + std::to_string(i)}}}});
    auto const before = service_.head();
    ASSERT_EQ(admin.post("/v1/commands", boost::json::serialize(bulk)).status, 200);
    ASSERT_EQ(service_.head(), before + 20);
    for (int i = 0; i <= 20; ++i) {
        auto const moment = "?as_of=" + std::to_string(before + i);
        auto const then = read("/v1/links/" + text(link, "link_id") + moment);
        EXPECT_EQ(then.at("total_clicks").as_int64(), i);
        EXPECT_EQ(then.at("unique_clicks").as_int64(), i);
        auto const stats = read("/v1/links/" + text(link, "link_id") + "/stats" + moment);
        EXPECT_EQ(stats.at("total_clicks").as_int64(), i);
        EXPECT_EQ(stats.at("unique_clicks").as_int64(), i);
    }
}

TEST_F(AsOf, AWorkspaceIsWhatItWas) {
    auto const path = "/v1/workspaces/" + workspace_id;
    std::vector<memory> memories{remember(path)};
    done("RenameWorkspace", {{"workspace_id", workspace_id}, {"name", "Acme & Sons"}});
    memories.push_back(remember(path));
    join("ann@example.com", "member");
    memories.push_back(remember(path));
    expect_remembered(path, memories);
}

TEST_F(AsOf, MomentsThatCannotBeAreRefused) {
    auto const link = make_link();
    auto const path = "/v1/links/" + text(link, "link_id");
    EXPECT_EQ(get(path + "?as_of=1").status, 404) << "not created yet";
    EXPECT_EQ(get(path + "?as_of=2001-01-01T00:00:00Z").status, 404);
    for (auto const* moment : {"yesterday", "-1", "1000000", "2999-01-01T00:00:00Z", ""})
        EXPECT_EQ(get(path + "?as_of=" + moment).status, 400) << moment;
    auto const key = done(
        "IssueApiKey",
        {{"workspace_id",
          text(done("CreateWorkspace", {{"name", "Other"}, {"slug", "other"}}).at("result"), "workspace_id")},
         {"name", "other's"},
         {"scopes", {"read"}}});
    auto stranger = service_.client(text(key.at("result"), "api_key"));
    EXPECT_EQ(stranger.get(path + "?as_of=" + std::to_string(service_.head())).status, 404);
}

TEST_F(AsOf, TwoMomentsAreCompared) {
    auto const before = service_.head();
    auto const link = make_link({{"title", "First"}});
    auto const id = text(link, "link_id");
    auto const made = service_.head();
    done("UpdateLink", {{"link_id", id}, {"url", "https://example.org/second"}});
    click(text(link, "short_code"), "Mozilla/5.0 one");
    auto const diff = [&](eventlog::position from, std::string const& to = {}) {
        return parse(get("/v1/links/" + id + "/diff?from=" + std::to_string(from) + to));
    };
    auto const changed = diff(made);
    EXPECT_EQ(changed.at("from").at("version").as_int64(), 1);
    EXPECT_EQ(changed.at("to").at("version").as_int64(), 2);
    std::map<std::string, json> fields;
    for (auto const& one : changed.at("changes").as_array()) fields[text(one, "field")] = one.at("to");
    EXPECT_EQ(fields.at("url"), "https://example.org/second");
    EXPECT_EQ(fields.at("total_clicks"), 1);
    EXPECT_FALSE(fields.contains("title"));
    EXPECT_TRUE(diff(before).at("from").at("link").is_null());
    EXPECT_EQ(diff(made, "&to=" + std::to_string(made)).at("changes").as_array().size(), 0u);
    EXPECT_EQ(get("/v1/links/" + id + "/diff").status, 400) << "from is needed";
}

TEST_F(AsOf, HistoriesOfOtherResourcesAreForThoseWhoMaySeeThem) {
    done("RenameWorkspace", {{"workspace_id", workspace_id}, {"name", "Acme & Sons"}});
    auto const issued =
        done("IssueApiKey", {{"workspace_id", workspace_id}, {"name", "auditor"}, {"scopes", {"audit"}}});
    auto const key_id = text(issued.at("result"), "api_key_id");
    auto auditor = service_.client(text(issued.at("result"), "api_key"));
    auto const types = [&](http_response const& answer) {
        std::vector<std::string> all;
        auto const page = parse(answer);
        for (auto const& one : page.at("items").as_array()) all.push_back(text(one, "type"));
        return all;
    };
    EXPECT_EQ(types(auditor.get("/v1/workspaces/" + workspace_id + "/history")),
              (std::vector<std::string>{"workspace.created", "workspace.renamed"}));
    EXPECT_EQ(types(auditor.get("/v1/api-keys/" + key_id + "/history")),
              (std::vector<std::string>{"api_key.issued"}));
    auto const owner = text(read("/v1/workspaces/" + workspace_id), "owner_id");
    EXPECT_EQ(types(get("/v1/users/" + owner + "/history")), (std::vector<std::string>{"user.registered"}));
    EXPECT_EQ(auditor.get("/v1/users/" + owner + "/history").status, 404)
        << "a workspace's key sees no person";
    EXPECT_EQ(visitor.get("/v1/workspaces/" + workspace_id + "/history").status, 401);
}

}  // namespace
}  // namespace linkledger::tests
