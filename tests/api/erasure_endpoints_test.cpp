// An erasure over HTTP: what is shown afterwards, and the receipt.

#include "eventlog/merkle/note.h"
#include "tests/api/service.h"

#include <boost/json.hpp>

namespace linkledger::tests {
namespace {

using boost::json::object;

class Erasures : public ServiceTest {
protected:
    /// Ann joins as `role`; her user id.
    std::string join_ann(std::string const& role = "member") {
        auto ann = join("ann@example.com", role);
        auto const members = read("/v1/workspaces/" + workspace_id + "/members");
        for (auto const& member : members.at("items").as_array())
            if (member.at("email") == "ann@example.com") return text(member, "user_id");
        ADD_FAILURE() << "Ann is no member";
        return {};
    }
    std::string erasure_of(json const& answer) {
        return "/v1/erasures/" + std::to_string(answer.at("position").as_int64());
    }
    bool shows_ann(std::string const& target) {
        auto const after = target + (target.find('?') == std::string::npos ? "?" : "&") +
                           "after=" + std::to_string(service_.head());
        return get_in_time(admin, after).body.find("ann@example.com") != std::string::npos;
    }
};

}  // namespace

TEST_F(Erasures, OfAPersonShowInNoAnswerAndAreReceipted) {
    auto const user = join_ann();
    auto const members = "/v1/workspaces/" + workspace_id + "/members";
    auto const invitations = "/v1/workspaces/" + workspace_id + "/invitations";
    auto const audit = "/v1/workspaces/" + workspace_id + "/audit-logs";
    EXPECT_TRUE(shows_ann(members) && shows_ann(invitations) && shows_ann(audit));

    auto const answer = done("EraseSubject", {{"email", "ann@example.com"}});
    EXPECT_EQ(text(answer.at("result"), "user_id"), user);
    for (auto const& target : {members, invitations, audit}) EXPECT_FALSE(shows_ann(target)) << target;
    for (auto const& target : {std::string{"/v1/events?limit=1000"}, "/v1/users/" + user + "/history",
                               "/v1/workspaces/" + workspace_id + "/history"})
        EXPECT_EQ(get(target).body.find("ann@example.com"), std::string::npos) << target;

    json receipt;
    ASSERT_TRUE(comes_true([&] {
        receipt = parse(get(erasure_of(answer)));
        return receipt.at("is_done").as_bool();
    }));
    EXPECT_EQ(text(receipt, "subject"), "person");
    std::vector const keys{service_.receipt_key.verifier("test")};
    auto const opened = eventlog::merkle::open_note(text(receipt, "receipt"), keys);
    ASSERT_TRUE(opened);
    EXPECT_NE(opened->find("user: " + user), std::string::npos);
    EXPECT_EQ(opened->find("ann@example.com"), std::string::npos);
}

TEST_F(Erasures, AreKnownToWhoOrderedThemAlone) {
    join_ann();
    auto stranger = join("zoe@example.com", "admin");
    auto const answer = done("EraseSubject", {{"email", "ann@example.com"}});
    EXPECT_EQ(get(erasure_of(answer)).status, 200);
    EXPECT_EQ(stranger.get(erasure_of(answer)).status, 404);
    EXPECT_EQ(get("/v1/erasures/1").status, 404) << "no erasure there";
    EXPECT_EQ(get("/v1/erasures/x").status, 400);
}

TEST_F(Erasures, OfClickDetailsArePendingUntilTheyAreCarriedOut) {
    auto const answer =
        done("EraseSubject",
             {{"workspace_id", workspace_id}, {"first_day", "2020-01-01"}, {"last_day", "2020-01-31"}});
    auto const now = parse(get(erasure_of(answer)));
    EXPECT_EQ(text(now, "subject"), "click_details");
    EXPECT_FALSE(now.at("is_done").as_bool());
    EXPECT_TRUE(now.at("receipt").is_null());
}

}  // namespace linkledger::tests
