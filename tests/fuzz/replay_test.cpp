// The committed corpora and old crashes, replayed: every input once, by the compiler that builds the product.

#include "tests/fuzz/targets.h"

#include "paths.h"
#include "tests/support/read_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <vector>

namespace linkledger::fuzz {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> inputs_below(fs::path const& folder) {
    std::vector<fs::path> all;
    if (!fs::exists(folder)) return all;
    for (auto const& entry : fs::directory_iterator{folder})
        if (entry.is_regular_file()) all.push_back(entry.path());
    std::sort(all.begin(), all.end());
    return all;
}

class Corpus : public testing::TestWithParam<target> {};

TEST_P(Corpus, RunsWithoutACrash) {
    fs::path const root = fs::path{LINKLEDGER_SOURCE_DIR} / "tests/fuzz";
    std::size_t seeds = 0;
    for (auto const* kind : {"corpus", "crashes"}) {
        for (auto const& path : inputs_below(root / kind / GetParam().name)) {
            std::fprintf(stderr, "%s\r",
                         path.filename().c_str());  // The last one named is the one that ended it.
            GetParam().run(test::read_file(path));
            ++seeds;
        }
    }
    GetParam().run({});
    EXPECT_GE(seeds, 3u) << "there is no corpus to speak of";
}

INSTANTIATE_TEST_SUITE_P(Of, Corpus, testing::ValuesIn(targets().begin(), targets().end()),
                         [](auto const& of) { return std::string{of.param.name}; });

}  // namespace
}  // namespace linkledger::fuzz
