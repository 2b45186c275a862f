// The audit log as pages and as files.

#include "tests/api/service.h"

#include <boost/json.hpp>

#include <algorithm>

namespace linkledger::tests {
namespace {

using boost::json::object;

class AuditLogs : public ServiceTest {
protected:
    AuditLogs() {
        boost::json::array bulk;
        for (int i = 0; i < 1'000; ++i)
            bulk.push_back(object{{"command", "CreateLink"},
                                  {"data",
                                   {{"workspace_id", workspace_id},
                                    {"url", "https://example.com/" + std::to_string(i)},
                                    {"title", i == 7 ? "=1+1, \"quoted\"" : "plain"}}}});
        EXPECT_EQ(admin.post("/v1/commands", boost::json::serialize(bulk)).status, 200);
    }
    [[nodiscard]] std::string path(std::string const& filters = {}) const {
        return "/v1/workspaces/" + workspace_id +
               "/audit-logs?after=" + std::to_string(service_.log->head().value().last) + filters;
    }
    static std::vector<std::string> lines(std::string const& text) {
        std::vector<std::string> all;
        for (std::size_t begin = 0; begin < text.size();) {
            auto const end = std::min(text.find('\n', begin), text.size());
            all.push_back(text.substr(begin, end - begin));
            begin = end + 1;
        }
        return all;
    }
};

/// Events of one batch have one time; a page goes on where the one before ended all the same.
TEST_F(AuditLogs, AreListedByPositionThoughTimesAreEqual) {
    for (std::string const order : {"asc", "desc"}) {
        std::vector<std::int64_t> positions;
        std::string cursor;
        do {
            auto const page = parse(get(path("&per_page=100&order=" + order + cursor)));
            for (auto const& row : page.at("items").as_array())
                positions.push_back(row.at("position").as_int64());
            cursor = page.at("cursor").is_null() ? "" : "&cursor=" + text(page, "cursor");
        } while (!cursor.empty());
        EXPECT_EQ(positions.size(), 1'001u);
        if (order == "desc") std::reverse(positions.begin(), positions.end());
        EXPECT_TRUE(std::is_sorted(positions.begin(), positions.end()));
        EXPECT_EQ(std::adjacent_find(positions.begin(), positions.end()), positions.end());
    }
}

TEST_F(AuditLogs, ComeAsCsvWithAllTheirFilters) {
    auto const all = get(path("&order=asc"), {{"Accept", "text/csv"}});
    ASSERT_EQ(all.status, 200);
    EXPECT_EQ(all.header("content-type"), "text/csv; charset=utf-8; header=present");
    auto const rows = lines(all.body);
    ASSERT_EQ(rows.size(), 1'002u) << "a header, the workspace, the links";
    EXPECT_TRUE(rows[0].starts_with("position,id,created_at,workspace_id,user_id,action,"));
    EXPECT_NE(rows[1].find(",workspace.created,workspace,"), std::string::npos);
    EXPECT_NE(rows[9].find(R"(""title"":""=1+1, \""quoted\"""")"), std::string::npos) << rows[9];
    auto const none = get(path("&action=link.deleted"), {{"Accept", "text/csv"}});
    EXPECT_EQ(lines(none.body).size(), 1u);
    auto const one =
        get(path("&resource_type=workspace&resource_id=" + workspace_id), {{"Accept", "text/csv"}});
    EXPECT_EQ(lines(one.body).size(), 2u);
}

TEST_F(AuditLogs, ComeAsNdjson) {
    auto const answer = get(path("&action=link.created"), {{"Accept", "application/x-ndjson"}});
    EXPECT_EQ(answer.header("content-type"), "application/x-ndjson");
    auto const rows = lines(answer.body);
    ASSERT_EQ(rows.size(), 1'000u);
    auto const newest = boost::json::parse(rows.front());
    EXPECT_EQ(newest.at("new_values").at("url"), "https://example.com/999");
    EXPECT_EQ(newest.at("action"), "link.created");
}

TEST_F(AuditLogs, AreForAuditorsOfTheWorkspaceInEveryForm) {
    auto const issued =
        done("IssueApiKey", {{"workspace_id", workspace_id}, {"name", "reader"}, {"scopes", {"read"}}});
    auto reader = service_.client(text(issued.at("result"), "api_key"));
    for (auto const* form : {"application/json", "text/csv", "application/x-ndjson"})
        EXPECT_EQ(reader.get(path(), {{"Accept", form}}).status, 403) << form;
}

}  // namespace
}  // namespace linkledger::tests
