// What the command line shows.

#include "cli/terminal.h"

#include <gmock/gmock.h>

#include <cstdlib>

namespace linkledger::cli {

namespace {

/// What `work` writes to a stream that is no terminal.
template <typename Work>
std::string written(Work const& work) {
    char* text = nullptr;
    std::size_t size = 0;
    std::FILE* stream = ::open_memstream(&text, &size);
    work(stream);
    std::fclose(stream);
    std::string result{text, size};
    std::free(text);
    return result;
}

}  // namespace

TEST(Grouped, SetsCommasByThousands) {
    EXPECT_EQ(grouped(0), "0");
    EXPECT_EQ(grouped(999), "999");
    EXPECT_EQ(grouped(20'000), "20,000");
    EXPECT_EQ(grouped(1'234'567), "1,234,567");
}

TEST(Readable, ChoosesItsUnit) {
    using namespace std::chrono_literals;
    EXPECT_EQ(readable(850ms), "850 ms");
    EXPECT_EQ(readable(12s), "12 s");
    EXPECT_EQ(readable(200s), "3 min 20 s");
    EXPECT_EQ(readable(2h + 5min), "2 h 5 min");
}

TEST(Table, AlignsNumbersRightAndTextLeft) {
    EXPECT_EQ(table({"name", "lag"}, {{"links", "7"}, {"accounts", "1,234"}, {"größe", "-"}}),
              "name        lag\n"
              "links         7\n"
              "accounts  1,234\n"
              "größe         -\n");
}

TEST(Progress, WritesPlainLinesWhereThereIsNoTerminal) {
    auto const text = written([](std::FILE* stream) {
        progress bar{stream, "import", "lines", 20'000};
        bar.update(10'000);
        bar.update(20'000);
    });
    EXPECT_THAT(text, testing::StartsWith("import  20,000 of 20,000 lines (100 %), "));
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(Progress, NeverGoesBack) {
    auto const text = written([](std::FILE* stream) {
        progress bar{stream, "import", "lines", 0};
        bar.update(10);
        bar.update(5);
    });
    EXPECT_THAT(text, testing::HasSubstr("10 lines"));
}

}  // namespace linkledger::cli
