#include "tests/commands/bus_fixture.h"

namespace linkledger::commands::testing {
namespace {

using domain::refusal_code;

class ClickLink : public BusTest {
protected:
    std::string workspace = make_workspace();
};

}  // namespace

TEST_P(ClickLink, CountsAReportedClickOnce) {
    auto const link = field(make_link(workspace, "spring", admin), "link_id");
    auto const data = object({{"short_code", "spring"}, {"visitor", "v-1"}, {"user_agent", "Mozilla/5.0"}});
    command_request const request{"ClickLink", data, "click-1", std::nullopt};
    auto const first = here.accept(request, admin);
    EXPECT_EQ(first.stream, "clicks-" + link);
    EXPECT_EQ(first.version, 1);
    EXPECT_EQ(first.events, std::vector<std::string>{"link.clicked"});
    EXPECT_EQ(field(first, "link_id"), link);
    auto const second = here.accept(request, admin);
    EXPECT_TRUE(second.replayed);
    EXPECT_EQ(second.version, 1);
    EXPECT_EQ(log->stream_version("clicks-" + link).assume_value(), 1);
}

TEST_P(ClickLink, IsExactAtTheCap) {
    auto const made = here.accept(
        "CreateLink",
        object({{"workspace_id", workspace}, {"url", "https://example.com/"}, {"max_clicks", 2}}), admin);
    auto const data = object({{"link_id", field(made, "link_id")}, {"visitor", "v"}});
    here.accept("ClickLink", data, admin);
    here.accept("ClickLink", data, admin);
    EXPECT_EQ(refused(here.execute("ClickLink", data, admin)), refusal_code::link_gone);
    EXPECT_EQ(log->stream_version("clicks-" + field(made, "link_id")).assume_value(), 2);
}

TEST_P(ClickLink, IsForMembersOfTheWorkspace) {
    make_link(workspace, "spring", admin);
    auto const other = make_workspace("other");
    auto const stranger = make_member(other, "stranger@example.com", "admin");
    auto const viewer = make_member(workspace, "viewer@example.com", "viewer");
    auto const data = object({{"short_code", "spring"}});
    EXPECT_EQ(refused(here.execute("ClickLink", data, stranger)), refusal_code::not_found);
    EXPECT_EQ(refused(here.execute("ClickLink", data, viewer)), refusal_code::forbidden);
    EXPECT_EQ(refused(here.execute("ClickLink", "{}", admin)), refusal_code::invalid_input);
    EXPECT_EQ(refused(here.execute("ClickLink", object({{"short_code", "nothing"}}), admin)),
              refusal_code::not_found);
}

TEST_P(ClickLink, GoesThroughABulkToo) {
    make_link(workspace, "spring", admin);
    std::vector<command_request> const requests(
        3, {"ClickLink", object({{"short_code", "spring"}}), std::nullopt, std::nullopt});
    auto const outcomes = here.run(here.bus().execute_bulk(requests, admin));
    EXPECT_EQ(process::accepted(outcomes[0]).version, 1);
    EXPECT_EQ(process::accepted(outcomes[2]).version, 3);
}

TEST_P(ClickLink, FollowsWhatCommandsDo) {
    auto const link = field(make_link(workspace, "spring", admin), "link_id");
    visit request;
    request.short_code = "spring";
    request.user_agent = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0";
    auto const follow = [&] { return here.run(here.bus().follow(request)); };
    auto const there = follow();
    ASSERT_TRUE(std::holds_alternative<redirect_to>(there));
    EXPECT_EQ(std::get<redirect_to>(there).url, "https://example.com/");
    here.accept("UpdateLink", object({{"link_id", link}, {"url", "https://example.org/new"}}), admin);
    EXPECT_EQ(std::get<redirect_to>(follow()).url, "https://example.org/new");
    here.accept("DisableLink", object({{"link_id", link}}), admin);
    EXPECT_EQ(std::get<domain::refusal>(follow()).code, refusal_code::link_gone);
    here.accept("EnableLink", object({{"link_id", link}}), admin);
    EXPECT_TRUE(std::holds_alternative<redirect_to>(follow()));
    here.accept("DeleteLink", object({{"link_id", link}}), admin);
    EXPECT_EQ(std::get<domain::refusal>(follow()).code, refusal_code::link_gone);
    EXPECT_GT(here.bus().stats().link_cache_hits, 0u);
}

LINKLEDGER_ON_EACH_BACKEND(ClickLink);

}  // namespace linkledger::commands::testing
