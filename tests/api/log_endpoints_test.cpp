// The verifiable log over HTTP: who sees what, in which form.

#include "eventlog/leaf_hash.h"
#include "eventlog/merkle/opening.h"
#include "eventlog/merkle/published.h"
#include "tests/api/service.h"

#include <boost/json.hpp>

namespace linkledger::tests {
namespace {

class LogEndpoints : public ServiceTest {
protected:
    http_response proof(http_client& as, eventlog::position at, http_headers const& headers = {}) {
        return as.get("/v1/events/" + std::to_string(at) + "/proof", headers);
    }
};

TEST_F(LogEndpoints, ServeCheckpointAndTilesToAnyone) {
    make_link();
    ASSERT_TRUE(comes_true([&] { return visitor.get("/log/checkpoint").status == 200; }));
    auto const checkpoint = visitor.get("/log/checkpoint");
    EXPECT_EQ(checkpoint.header("content-type"), "text/plain; charset=utf-8");
    EXPECT_EQ(checkpoint.header("cache-control"), "no-cache");
    EXPECT_TRUE(checkpoint.body.starts_with("linkledger/"));
    auto const tile = visitor.get("/log/tile/0/000.p/1");
    EXPECT_EQ(tile.status, 200);
    EXPECT_EQ(tile.body.size(), 32u);
    EXPECT_EQ(tile.header("cache-control"), "public, max-age=31536000, immutable");
    auto const entries = visitor.get("/log/tile/entries/000.p/1");
    EXPECT_EQ(entries.body.size(), 34u);
}

TEST_F(LogEndpoints, KnowNoOtherPaths) {
    for (auto const* path :
         {"/log", "/log/", "/log/tile", "/log/tile/", "/log/tile/0", "/log/tile/0/0", "/log/tile/0/000",
          "/log/tile/0/999.p/1", "/log/tile/9/000", "/log/tile/entries/x000/000", "/log/tile/0/000.p/256",
          "/log/tile/../checkpoint"})
        EXPECT_EQ(visitor.get(path).status, 404) << path;
    EXPECT_EQ(visitor.post("/log/checkpoint", "").status, 405);
}

TEST_F(LogEndpoints, ProveAnEventWithTheOpeningOfItsLeaf) {
    make_link();
    auto const at = service_.head();
    auto const answer = proof(admin, at);
    ASSERT_EQ(answer.status, 200) << answer.body;
    auto const value = parse(answer);
    EXPECT_EQ(value.at("position").as_int64(), at);
    EXPECT_TRUE(text(value, "proof").starts_with("c2sp.org/tlog-proof@v1\nextra "));
    std::string error;
    auto const opened = eventlog::merkle::parse_opening(boost::json::serialize(value.at("opening")), error);
    ASSERT_TRUE(opened) << error;
    EXPECT_EQ(eventlog::leaf_hash_of(*opened), opened->leaf_hash);
    EXPECT_EQ(opened->body.type, "link.created");
    auto const plain = proof(admin, at, {{"Accept", "text/plain"}});
    EXPECT_EQ(plain.header("content-type"), "text/plain; charset=utf-8");
    EXPECT_TRUE(plain.body.starts_with("c2sp.org/tlog-proof@v1\n"));
}

TEST_F(LogEndpoints, ProveToThoseAloneWhoMaySeeTheEvent) {
    make_link();
    auto const link_at = service_.head();
    auto const other = done("CreateWorkspace", {{"name", "Other"}, {"slug", "other"}});
    auto const other_at = service_.head();
    auto const issue = [&](boost::json::array scopes) {
        auto const issued =
            done("IssueApiKey",
                 {{"workspace_id", workspace_id}, {"name", "auditor"}, {"scopes", std::move(scopes)}});
        return service_.client(text(issued.at("result"), "api_key"));
    };
    auto auditor = issue({"audit"});
    EXPECT_EQ(proof(auditor, link_at).status, 200);
    EXPECT_EQ(problem_code(proof(auditor, other_at)), "not_found");
    auto reader = issue({"read"});
    EXPECT_EQ(proof(reader, link_at).status, 403);
    EXPECT_EQ(proof(visitor, link_at).status, 401);
    EXPECT_EQ(proof(admin, 1'000'000).status, 404);
    EXPECT_EQ(admin.get("/v1/events/x/proof").status, 400);
}

}  // namespace
}  // namespace linkledger::tests
