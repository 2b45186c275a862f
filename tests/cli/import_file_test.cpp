// Tables of links: what TSV and CSV files may look like, and what becomes of each record.

#include "cli/import_file.h"

#include <gmock/gmock.h>

#include <sstream>

namespace linkledger::cli {

namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<record> read_all(std::string const& text, table_format format) {
    std::istringstream from{text};
    table_reader reader{from, format};
    std::vector<record> all;
    while (auto next = reader.next()) all.push_back(std::move(*next));
    return all;
}

std::string create_link(std::string const& line, std::vector<column> const& columns) {
    auto all = read_all(line, table_format::tsv);
    auto const data = to_create_link(all.at(0), columns, "W");
    return data.empty() ? all[0].problem : data;
}

}  // namespace

TEST(TableReader, SplitsTabs) {
    auto const all =
        read_all("https://a.example\tA\t\"quoted\"\nhttps://b.example\t\tb\n", table_format::tsv);
    ASSERT_EQ(all.size(), 2u);
    EXPECT_THAT(all[0].cells, ElementsAre("https://a.example", "A", "\"quoted\""));
    EXPECT_THAT(all[1].cells, ElementsAre("https://b.example", "", "b"));
    EXPECT_EQ(all[1].line, 2u);
}

TEST(TableReader, TakesWindowsLineEndsByteOrderMarksAndAMissingLastLineEnd) {
    for (auto const format : {table_format::tsv, table_format::csv}) {
        auto const all = read_all(
            "\xEF\xBB\xBF"
            "one\r\n\r\ntwo",
            format);
        ASSERT_EQ(all.size(), 2u);
        EXPECT_THAT(all[0].cells, ElementsAre("one"));
        EXPECT_THAT(all[1].cells, ElementsAre("two"));
        EXPECT_EQ(all[1].line, 3u);
    }
}

TEST(TableReader, SaysWhatIsNotUtf8) {
    using namespace std::string_literals;
    auto const all = read_all("https://a.example\t\xE4\nhttps://b.example\tB\nh\0t\tx\n"s, table_format::tsv);
    ASSERT_EQ(all.size(), 3u);
    EXPECT_THAT(all[0].problem, HasSubstr("UTF-8"));
    EXPECT_EQ(all[1].problem, "");
    EXPECT_THAT(all[2].problem, HasSubstr("UTF-8"));
}

TEST(TableReader, ReadsQuotedCellsAsRfc4180SaysThem) {
    auto const all = read_all("a,\"b,\"\"c\"\"\",\"d\r\ne\"\nf,,\"\"\n", table_format::csv);
    ASSERT_EQ(all.size(), 2u);
    EXPECT_THAT(all[0].cells, ElementsAre("a", "b,\"c\"", "d\ne"));
    EXPECT_THAT(all[1].cells, ElementsAre("f", "", ""));
    EXPECT_EQ(all[1].line, 3u);
}

TEST(TableReader, SaysWhatIsWrongWithALineAndGoesOn) {
    auto const all = read_all("a,\"b\"c\nd\ne,\"f\n", table_format::csv);
    ASSERT_EQ(all.size(), 3u);
    EXPECT_THAT(all[0].problem, HasSubstr("closing quote"));
    EXPECT_THAT(all[1].cells, ElementsAre("d"));
    EXPECT_THAT(all[2].problem, HasSubstr("never closed"));
}

TEST(TableReader, RefusesEndlessLinesWithoutKeepingThem) {
    auto const all =
        read_all(std::string(table_reader::record_bytes_max * 2, 'x') + "\nnext\n", table_format::tsv);
    ASSERT_EQ(all.size(), 2u);
    EXPECT_THAT(all[0].problem, HasSubstr("longer than"));
    EXPECT_LE(all[0].text.size(), table_reader::record_bytes_max + 1);
    EXPECT_THAT(all[1].cells, ElementsAre("next"));
    EXPECT_THAT(read_all(std::string(1000, '\t'), table_format::tsv).at(0).problem, HasSubstr("columns"));
}

TEST(ImportFormat, IsToldByTheEndingOfTheName) {
    EXPECT_EQ(format_of("links.CSV"), table_format::csv);
    EXPECT_EQ(format_of("links.tsv"), table_format::tsv);
    EXPECT_EQ(format_of("c"), table_format::tsv);
}

TEST(ImportColumns, AreNamedByAHeaderLineInAnyCase) {
    EXPECT_TRUE(is_header({"Title", " URL "}));
    EXPECT_FALSE(is_header({"https://url.example", "url of a page"}));
    EXPECT_THAT(parse_columns({"Title", "whatever", "URL", "Short code"}, false),
                ElementsAre(column::title, column::ignored, column::url, column::short_code));
}

TEST(ImportColumns, AreRefusedWhenUnknownDoubledOrWithoutUrl) {
    EXPECT_THROW(static_cast<void>(parse_columns({"url", "colour"}, true)), import_error);
    EXPECT_THROW(static_cast<void>(parse_columns({"url", "url"}, false)), import_error);
    EXPECT_THROW(static_cast<void>(parse_columns({"title"}, false)), import_error);
    EXPECT_THAT(parse_columns({"-", "url"}, true), ElementsAre(column::ignored, column::url));
}

TEST(ImportRecord, BecomesTheFieldsOfCreateLink) {
    EXPECT_EQ(create_link("https://a.example\tA\tsome \"text\"\tcode\tred, blue;;\n", default_columns()),
              R"({"workspace_id":"W","url":"https://a.example","title":"A","description":"some \"text\"",)"
              R"("short_code":"code","tags":["red","blue"]})");
    EXPECT_EQ(create_link("https://a.example\t\t\n", default_columns()),
              R"({"workspace_id":"W","url":"https://a.example"})");
    EXPECT_EQ(create_link("x\thttps://a.example\n", {column::ignored, column::url}),
              R"({"workspace_id":"W","url":"https://a.example"})");
}

TEST(ImportRecord, IsRefusedWithMoreCellsThanColumns) {
    EXPECT_THAT(create_link("a\tb\n", {column::url}), HasSubstr("2 cells"));
}

}  // namespace linkledger::cli
