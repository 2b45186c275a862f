// The tree keeps the shape that architecture.md and style.md give it.

#include "paths.h"

#include <gmock/gmock.h>
#include <re2/re2.h>

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

}  // namespace linkledger
