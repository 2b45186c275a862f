// `linkledger import`: real pages, twice; lines that cannot be links; workspaces.

#include "paths.h"
#include "tests/cli/served.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

namespace linkledger::test {

namespace {

using testing::AllOf;
using testing::HasSubstr;

/// The 20,000 pages where they are at hand, otherwise as many like them.
std::string pages(temp_folder const& folder) {
    std::string const real = LINKLEDGER_SOURCE_DIR "/../shared/data/homepages.tsv";
    if (std::filesystem::exists(real)) return real;
    auto const path = folder.file("pages.tsv");
    std::ofstream file{path};
    for (int i = 1; i <= 20'000; ++i) {
        file << "https://pages.example/" << i << "/index.html\tpage-" << i
             << "\ta page of no great interest, number " << i << "\n";
    }
    return path;
}

boost::json::value imported(site const& at, std::vector<std::string> arguments, int exit_code = 0) {
    arguments.insert(arguments.begin(), "import");
    arguments.emplace_back("--json");
    auto const done = linkledger(arguments, at.environment());
    EXPECT_EQ(done.exit_code, exit_code) << done.err;
    boost::system::error_code error;
    auto report = boost::json::parse(done.out, error);
    EXPECT_FALSE(error) << done.out << done.err;
    return report;
}

std::int64_t number(boost::json::value const& report, char const* name) {
    return report.at(name).to_number<std::int64_t>();
}

}  // namespace

class Import : public OnBothBackends {};
LINKLEDGER_ON_BOTH_BACKENDS(Import);

TEST_P(Import, OfTwentyThousandPagesTwiceMakesEachLinkOnce) {
    site const at{GetParam()};
    auto const file = pages(at.folder());
    auto const first = imported(at, {file});
    EXPECT_EQ(number(first, "made"), 20'000);
    EXPECT_EQ(number(first, "refused"), 0);
    auto const second = imported(at, {file});
    EXPECT_EQ(number(second, "made"), 0);
    EXPECT_EQ(number(second, "known"), 20'000);
    auto const events = linkledger({"events", "--type", "link.created"}, at.environment());
    EXPECT_EQ(std::count(events.out.begin(), events.out.end(), '\n'), 20'000);
}

TEST_P(Import, IsSeenByAServerThatRunsMeanwhile) {
    site const at{GetParam()};
    served const server{at};
    auto client = server.client();
    auto const workspace = create_workspace(client, "shop");
    std::ofstream{at.folder().file("links.csv")}
        << "Title,URL,Short_Code,Tags\r\n"
           "\"Spring, and \"\"more\"\"\",https://a.example/,spring,\"red,blue\"\r\n";
    auto const report = imported(at, {at.folder().file("links.csv"), "--workspace", "shop"});
    EXPECT_EQ(number(report, "made"), 1);
    EXPECT_EQ(text_at(report, "workspace_id"), workspace);
    EXPECT_EQ(client.get("/spring").status, 302);
    auto const head = text_at(json_of(client.get("/v1/events?limit=1")), "head");
    auto const list = json_of(client.get("/v1/links?tag=blue&workspace_id=" + workspace + "&after=" + head));
    ASSERT_EQ(list.at("items").as_array().size(), 1u);
    EXPECT_EQ(text_at(list.at("items").at(0), "title"), "Spring, and \"more\"");
}

TEST(Import, ReportsRefusedLinesAndImportsTheRest) {
    site const at{"sqlite"};
    auto const file = at.folder().file("links.tsv");
    std::ofstream{file} << "https://a.example/\tA\n"
                           "javascript:alert(1)\tB\n"
                           "https://c.example/\tC\tc\tshort-code\ttag\tone too many\n"
                           "https://d.example/\tbad \xFF utf-8\n"
                           "https://e.example/\tE\t\tv1\n"
                           "https://f.example/\tF\n";
    auto const refused = at.folder().file("refused.tsv");
    auto const done = linkledger({"import", file, "--refused", refused}, at.environment());
    EXPECT_EQ(done.exit_code, 1);
    EXPECT_THAT(done.out, HasSubstr("2 links made, 0 were there from an earlier run, 4 lines refused"));
    EXPECT_THAT(done.err, AllOf(HasSubstr("refused, line 2: "), HasSubstr("refused, line 3: has 6 cells"),
                                HasSubstr("refused, line 5: ")));
    std::ifstream lines{refused};
    int count = 0;
    for (std::string line; std::getline(lines, line);) ++count;
    EXPECT_EQ(count, 4);
}

TEST(Import, SaysWhatIsWrongWithTheFileOrTheWorkspace) {
    site const at{"sqlite"};
    auto const missing = linkledger({"import", "/nowhere.tsv"}, at.environment());
    EXPECT_EQ(missing.exit_code, 1);
    EXPECT_THAT(missing.err, HasSubstr("/nowhere.tsv cannot be read"));
    auto const file = at.folder().file("links.tsv");
    std::ofstream{file} << "https://a.example/\n";
    auto const unknown =
        linkledger({"import", file, "--workspace", "01927f4e-0000-7000-8000-000000000000"}, at.environment());
    EXPECT_EQ(unknown.exit_code, 1);
    EXPECT_THAT(unknown.err, HasSubstr("there is no workspace"));
    auto const columns = linkledger({"import", file, "--columns", "title,colour"}, at.environment());
    EXPECT_EQ(columns.exit_code, 1);
    EXPECT_THAT(columns.err, HasSubstr("colour"));
}

TEST(Import, OfTheSameFileIntoTwoWorkspacesMakesTwoLinks) {
    site const at{"sqlite"};
    auto const file = at.folder().file("links.tsv");
    std::ofstream{file} << "https://a.example/\n";
    EXPECT_EQ(number(imported(at, {file, "--workspace", "one"}), "made"), 1);
    EXPECT_EQ(number(imported(at, {file, "--workspace", "two"}), "made"), 1);
    EXPECT_EQ(number(imported(at, {file, "--workspace", "one"}), "known"), 1);
}

}  // namespace linkledger::test
