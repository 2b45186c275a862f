// The tree keeps the shape that architecture.md and style.md give it.

#include "paths.h"

#include <gmock/gmock.h>
#include <re2/re2.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace linkledger {

namespace {

namespace fs = std::filesystem;

std::string const root = LINKLEDGER_SOURCE_DIR;

/// Who may include whom, besides itself. An arrow of the layout and what follows from it.
std::map<std::string, std::set<std::string>> const allowed{
    {"domain", {}},
    {"eventlog", {"domain"}},
    {"migrations", {"domain", "eventlog"}},
    {"commands", {"domain", "eventlog"}},
    {"projections", {"domain", "eventlog", "migrations"}},
    {"api", {"domain", "eventlog", "commands", "projections"}},
    {"cli", {"domain", "eventlog", "migrations", "commands", "projections", "api"}},
};

/// A file that cannot be shorter, and why.
std::map<std::string, std::string> const long_files{};

constexpr int lines_max = 500;

std::vector<std::string> lines_of(fs::path const& path) {
    std::ifstream file{path};
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
}

bool is_source(fs::path const& path) {
    return path.extension() == ".h" || path.extension() == ".cpp";
}

std::vector<fs::path> sources_below(std::string const& folder) {
    std::vector<fs::path> all;
    if (!fs::exists(fs::path{root} / folder)) return all;
    for (auto const& entry : fs::recursive_directory_iterator{fs::path{root} / folder})
        if (entry.is_regular_file() && is_source(entry.path())) all.push_back(entry.path());
    return all;
}

std::string name_of(fs::path const& path) {
    return fs::relative(path, root).string();
}

}  // namespace

TEST(Layout, IncludesPointInOneDirection) {
    for (auto const& [folder, may_include] : allowed) {
        for (auto const& path : sources_below(folder)) {
            for (auto const& line : lines_of(path)) {
                std::string included;
                if (!RE2::PartialMatch(line, R"(^\s*#\s*include\s*"(\w+)/)", &included)) continue;
                EXPECT_TRUE(included == folder || may_include.contains(included))
                    << name_of(path) << " includes " << included << "/";
            }
        }
    }
}

TEST(Layout, TheDomainKnowsNothingOfTheOutside) {
    for (auto const& path : sources_below("domain"))
        for (auto const& line : lines_of(path))
            EXPECT_FALSE(RE2::PartialMatch(
                line,
                R"(^\s*#\s*include\s*<(boost/(asio|beast|json)|sqlite3|pqxx|spdlog|sodium|thread|fstream|random))"))
                << name_of(path) << ": " << line;
}

TEST(Layout, HeadersDoNotPullInWhatIsSlowToCompile) {
    std::set<std::string> const exempt{"eventlog/json.h", "eventlog/json_reflect.h"};
    for (auto const& [folder, may_include] : allowed) {
        for (auto const& path : sources_below(folder)) {
            if (path.extension() != ".h" || exempt.contains(name_of(path))) continue;
            for (auto const& line : lines_of(path))
                EXPECT_FALSE(RE2::PartialMatch(line, R"(#\s*include\s*<boost/(json\.hpp|beast))"))
                    << name_of(path) << ": " << line;
        }
    }
}

/// Where the text of a statement is put together from values, as far as an expression can tell: a quoted
/// value
/// (`'" +`), or a member of a request next to a keyword of SQL.
bool puts_a_value_into_sql(std::string const& line) {
    static RE2 const quoted{R"re(='"\s*\+|\('"\s*\+|\+\s*"'\s*[,) ])re"};
    static RE2 const keyword{
        R"re("[^"]*\b(SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|AND|LIMIT|VALUES|ORDER BY)\b)re"};
    static RE2 const member{
        R"re(\+\s*(std::string\{)?(query|request|input|command|page|filter|visit|x|from)(\.|->)\w)re"};
    return RE2::PartialMatch(line, quoted) ||
           (RE2::PartialMatch(line, keyword) && RE2::PartialMatch(line, member));
}

TEST(Layout, NoValueStandsInTheTextOfAStatement) {
    // What it is to find, so that it cannot pass by finding nothing.
    for (auto const* bad :
         {R"re(rows.query("SELECT * FROM links WHERE code ='" + code + "'");)re",
          R"re(text += " LIMIT " + query.per_page;)re", R"re(text += " WHERE title = " + request.title;)re",
          R"re(" VALUES ('" + name + "')")re"})
        EXPECT_TRUE(puts_a_value_into_sql(bad)) << bad;
    EXPECT_FALSE(puts_a_value_into_sql(R"re(text += " LIMIT " + which.value(query.per_page);)re"));
    // Names of partitions and their bounds, made of a date or a position by this program: DDL takes no
    // parameters.
    std::set<std::string> const exempt{"projections/clicks/clicks_projection.cpp"};
    for (auto const& [folder, may_include] : allowed) {
        for (auto const& path : sources_below(folder)) {
            if (exempt.contains(name_of(path))) continue;
            for (auto const& line : lines_of(path))
                EXPECT_FALSE(puts_a_value_into_sql(line)) << name_of(path) << ": " << line;
        }
    }
}

/// A link's address is text here: nothing on a request's way looks it up or fetches it, so nobody can make
/// this server send requests (SSRF).
TEST(Layout, NothingThatServesOpensConnectionsElsewhere) {
    RE2 const opens{
        R"re(async_connect|::connect\(|resolver|getaddrinfo|gethostby|<curl/|popen\(|system\()re"};
    for (auto const* folder : {"domain", "commands", "projections", "api"})
        for (auto const& path : sources_below(folder))
            for (auto const& line : lines_of(path))
                EXPECT_FALSE(RE2::PartialMatch(line, opens)) << name_of(path) << ": " << line;
}

TEST(Layout, FilesFitAHead) {
    for (auto const& [folder, may_include] : allowed) {
        for (auto const& path : sources_below(folder)) {
            if (long_files.contains(name_of(path))) continue;
            EXPECT_LE(lines_of(path).size(), lines_max) << name_of(path);
        }
    }
}

TEST(Layout, HeadersBeginWithPragmaOnceAndASentence) {
    for (auto const& [folder, may_include] : allowed) {
        for (auto const& path : sources_below(folder)) {
            auto const lines = lines_of(path);
            ASSERT_GE(lines.size(), 2u) << name_of(path);
            if (path.extension() == ".h") {
                EXPECT_EQ(lines[0], "#pragma once") << name_of(path);
                EXPECT_TRUE(lines[1].starts_with("// ")) << name_of(path);
            }
        }
    }
}

TEST(Layout, EveryFolderHasAReadme) {
    for (auto const& [folder, may_include] : allowed)
        EXPECT_TRUE(fs::exists(fs::path{root} / folder / "README.md")) << folder;
    for (auto const* folder : {".", "bench", "docs", "scripts", "tests"})
        EXPECT_TRUE(fs::exists(fs::path{root} / folder / "README.md")) << folder;
}

TEST(Layout, LinksInDocumentsLeadSomewhere) {
    for (fs::recursive_directory_iterator entry{root}, end; entry != end; ++entry) {
        auto const name = name_of(entry->path());
        if (name == "build" || name == "data" || name == ".git") entry.disable_recursion_pending();
        if (entry->path().extension() != ".md") continue;
        for (auto const& line : lines_of(entry->path())) {
            re2::StringPiece rest{line};
            std::string target;
            while (RE2::FindAndConsume(&rest, R"(\]\(([^)#]+)[^)]*\))", &target)) {
                if (target.starts_with("http")) continue;
                EXPECT_TRUE(fs::exists(entry->path().parent_path() / target)) << name << " -> " << target;
            }
        }
    }
}

/// `Suite.Case` of every test there is, and `Suite.*` of every suite.
std::set<std::string> names_of_tests() {
    std::set<std::string> names;
    for (auto const& path : sources_below("tests")) {
        std::string text;
        for (auto const& line : lines_of(path)) text += line + '\n';
        re2::StringPiece rest{text};
        std::string suite, name;
        while (RE2::FindAndConsume(&rest, R"(\bTEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\))", &suite, &name)) {
            names.insert(suite + "." + name);
            names.insert(suite + ".*");
        }
    }
    return names;
}

TEST(Layout, TheThreatModelNamesTestsThatExist) {
    auto const names = names_of_tests();
    std::size_t found = 0;
    for (auto const& line : lines_of(fs::path{root} / "docs" / "security.md")) {
        re2::StringPiece rest{line};
        std::string name;
        while (RE2::FindAndConsume(&rest, R"(`([A-Z]\w+\.(?:[A-Z]\w+|\*))`)", &name)) {
            EXPECT_TRUE(names.contains(name)) << name;
            ++found;
        }
        // A line of a table that states a threat states its test.
        bool const is_row =
            line.starts_with("| ") && !line.starts_with("| ---") && !line.starts_with("| threat");
        bool const has_three_cells = std::count(line.begin(), line.end(), '|') == 4;
        bool const has_test = RE2::PartialMatch(line, R"(`[A-Z]\w+\.|fuzzing `)");
        EXPECT_TRUE(has_test || !is_row || !has_three_cells) << line;
    }
    EXPECT_GE(found, 40u);
}

}  // namespace linkledger
