// Reflection between described structs and JSON: what is written, what is read, what is refused and where.
#include "eventlog/json_reflect.h"

#include "eventlog/metadata.h"

#include <gmock/gmock.h>

namespace linkledger::json {

bool operator==(read_error const& a, read_error const& b) {
    return a.path == b.path && a.message == b.message;
}
void PrintTo(read_error const& error, std::ostream* out) {
    *out << error.path << ": " << error.message;
}

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

enum class color { red, green };
BOOST_DESCRIBE_ENUM(color, red, green)

struct part {
    std::string name;
    std::optional<std::int64_t> size;
    bool operator==(part const&) const = default;
};
BOOST_DESCRIBE_STRUCT(part, (), (name, size))

struct thing {
    bool flag = false;
    std::int64_t count = 0;
    std::uint16_t small = 0;
    double ratio = 0;
    std::string text;
    domain::uuid id{};
    domain::link_id link_id{};
    domain::timestamp at{};
    json::color color = color::red;
    std::optional<std::string> maybe;
    std::optional<std::optional<std::string>> cleared;
    std::vector<part> parts;
    bj::value any;
};
BOOST_DESCRIBE_STRUCT(thing, (),
                      (flag, count, small, ratio, text, id, link_id, at, color, maybe, cleared, parts, any))

struct clearable {
    std::optional<std::optional<std::string>> title;
    std::optional<std::optional<std::int64_t>> cap;
    bool operator==(clearable const&) const = default;
};
BOOST_DESCRIBE_STRUCT(clearable, (), (title, cap))

bj::value parsed(std::string_view text) {
    std::string error;
    auto value = parse(text, error);
    EXPECT_TRUE(value) << error << " in " << text;
    return value.value_or(bj::value{});
}
std::string parse_error(std::string_view text) {
    std::string error = "(none)";
    EXPECT_FALSE(parse(text, error)) << text;
    return error;
}
template <typename T>
std::vector<read_error> errors_of(std::string_view text, unknown_fields unknown = unknown_fields::refuse) {
    std::vector<read_error> errors;
    T into;
    bool const good = read(parsed(text), into, "", unknown, errors);
    EXPECT_EQ(good, errors.empty());
    return errors;
}
template <typename T>
T read_well(std::string_view text) {
    std::vector<read_error> errors;
    T into;
    EXPECT_TRUE(read(parsed(text), into, "", unknown_fields::refuse, errors))
        << testing::PrintToString(errors);
    return into;
}

constexpr std::string_view whole_thing =
    R"({"flag":true,"count":-9223372036854775808,"small":65535,"ratio":1.5E0,"text":"ü \"\\ \u0001\n",)"
    R"("id":"0192f0d0-1234-7000-8000-00000000abcd","link_id":"0192f0d0-1234-7000-8000-00000000abce",)"
    R"("at":"2026-11-21T03:08:19.123456Z","color":"green","maybe":"m","cleared":null,)"
    R"("parts":[{"name":"a","size":1},{"name":""}],"any":{"x":[1,null]}})";

TEST(JsonText, ReadsBackWhatItWritesByteForByte) {
    auto const value = read_well<thing>(whole_thing);
    EXPECT_EQ(to_text(value), whole_thing);
    EXPECT_EQ(bj::serialize(to_value(value)), whole_thing);
    EXPECT_EQ(value.text, "ü \"\\ \x01\n");
    EXPECT_EQ(value.count, std::numeric_limits<std::int64_t>::min());
    EXPECT_TRUE(value.cleared.has_value());
    EXPECT_FALSE(value.cleared->has_value());
}

TEST(JsonText, LeavesEmptyOptionalsOut) {
    EXPECT_EQ(to_text(part{"a", std::nullopt}), R"({"name":"a"})");
    EXPECT_EQ(to_text(clearable{}), "{}");
    EXPECT_EQ(to_text(std::vector<std::optional<bool>>{true, std::nullopt}), "[true,null]");
}

TEST(JsonText, ReplacesWhatCannotBeStored) {
    EXPECT_EQ(to_text(std::string{"a\xff\xc0\x80z"}), "\"a\uFFFD\uFFFD\uFFFDz\"");
    EXPECT_EQ(to_text(std::string("a\0z", 3)), "\"a\uFFFDz\"");
    EXPECT_EQ(to_text(std::string{"\xe2\x82"}), "\"\uFFFD\uFFFD\"");
    EXPECT_EQ(to_text(std::string{"\xed\xa0\x80"}), "\"\uFFFD\uFFFD\uFFFD\"") << "a surrogate";
    EXPECT_EQ(to_text(std::string{"é€😀"}), "\"é€😀\"");
}

TEST(JsonText, NamesTheActorOfMetadata) {
    eventlog::metadata const value{.command = "CreateLink", .actor = {eventlog::actor_kind::visitor, {}, {}}};
    EXPECT_EQ(to_text(value),
              R"({"command":"CreateLink","command_id":"00000000-0000-0000-0000-000000000000",)"
              R"("correlation_id":"00000000-0000-0000-0000-000000000000","actor":{"kind":"visitor"}})");
}

TEST(JsonValue, ShowsEmptyOptionalsAsNullWhereAsked) {
    EXPECT_EQ(bj::serialize(to_value(part{"a", std::nullopt}, empty_fields::null)),
              R"({"name":"a","size":null})");
    EXPECT_EQ(bj::serialize(to_value(clearable{{}, std::optional<std::int64_t>{}}, empty_fields::null)),
              R"({"cap":null})");
}

TEST(JsonRead, TellsAbsentFromNullFromValue) {
    EXPECT_EQ(read_well<clearable>("{}"), clearable{});
    auto const cleared = read_well<clearable>(R"({"title":null})");
    ASSERT_TRUE(cleared.title.has_value());
    EXPECT_FALSE(cleared.title->has_value());
    EXPECT_EQ(read_well<clearable>(R"({"title":"t","cap":3})"), (clearable{{{"t"}}, {{3}}}));
    EXPECT_EQ(read_well<part>(R"({"name":"a","size":null})"), (part{"a", std::nullopt}));
}

TEST(JsonRead, ReportsEveryErrorWithItsPath) {
    EXPECT_THAT(
        errors_of<thing>(
            R"({"flag":1,"count":"1","small":65536,"ratio":"x","text":null,"id":"1","link_id":7,"at":"now",)"
            R"("color":"blue","maybe":1,"cleared":2,"parts":[{"name":"a"},{"name":3,"more":1},4],"any":1})"),
        ElementsAre(read_error{"flag", "must be true or false"}, read_error{"count", "must be an integer"},
                    read_error{"small", "must be between 0 and 65535"},
                    read_error{"ratio", "must be a number"}, read_error{"text", "must be a string"},
                    read_error{"id", "must be a UUID"}, read_error{"link_id", "must be a UUID"},
                    read_error{"at", "must be an RFC 3339 time, like 2026-11-21T03:08:19Z"},
                    read_error{"color", "must be one of red, green"}, read_error{"maybe", "must be a string"},
                    read_error{"cleared", "must be a string"},
                    read_error{"parts[1].name", "must be a string"},
                    read_error{"parts[1].more", "is not a known field"},
                    read_error{"parts[2]", "must be an object"}));
}

TEST(JsonRead, WantsWhatIsNotOptional) {
    EXPECT_THAT(errors_of<part>("{}"), ElementsAre(read_error{"name", "is required"}));
    EXPECT_THAT(errors_of<part>("[]"), ElementsAre(read_error{"", "must be an object"}));
    EXPECT_THAT(errors_of<part>("null"), ElementsAre(read_error{"", "must be an object"}));
}

TEST(JsonRead, IgnoresUnknownFieldsWhereTolerant) {
    std::string_view const text = R"({"name":"a","future":{"x":1}})";
    EXPECT_THAT(errors_of<part>(text, unknown_fields::ignore), IsEmpty());
    EXPECT_THAT(errors_of<part>(text), ElementsAre(read_error{"future", "is not a known field"}));
}

TEST(JsonRead, StartsPathsWithTheGivenOne) {
    std::vector<read_error> errors;
    part into;
    EXPECT_FALSE(read(parsed(R"({"name":1})"), into, "data", unknown_fields::refuse, errors));
    EXPECT_THAT(errors, ElementsAre(read_error{"data.name", "must be a string"}));
}

TEST(JsonRead, RefusesIntegersThatDoNotFit) {
    std::string const range = "must be between -9223372036854775808 and 9223372036854775807";
    for (std::string_view const text : {"9223372036854775808", "1e30", "-99999999999999999999"}) {
        EXPECT_THAT(errors_of<std::int64_t>(text), ElementsAre(read_error{"", range})) << text;
    }
    EXPECT_THAT(errors_of<std::int64_t>("1.5"), ElementsAre(read_error{"", "must be an integer"}));
    EXPECT_EQ(read_well<std::int64_t>("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(read_well<std::uint64_t>("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
}

TEST(JsonRead, StopsCountingErrorsAtAHundred) {
    std::string text = "[0";
    for (int i = 0; i < 1'000; ++i) text += ",0";
    EXPECT_EQ(errors_of<std::vector<std::string>>(text + "]").size(), 100u);
}

TEST(JsonParse, RefusesDuplicateKeysAtAnyDepth) {
    EXPECT_THAT(parse_error(R"({"a":1,"b":2,"a":3})"), HasSubstr("duplicate key \"a\""));
    EXPECT_THAT(parse_error(R"([{"x":{"a":1,"\u0061":{}}}])"), HasSubstr("duplicate key \"a\""));
    parsed(R"({"a":{"a":1},"b":[{"a":2},{"a":3}]})");
}

TEST(JsonParse, LimitsTheDepth) {
    std::string const deepest = std::string(32, '[') + std::string(32, ']');
    parsed(deepest);
    EXPECT_THAT(parse_error('[' + deepest + ']'), HasSubstr("too deep"));
    parse_error(std::string(1'000'000, '['));
}

TEST(JsonParse, RefusesWhatIsNoJsonOrNoText) {
    for (std::string const text : {"",
                                   " ",
                                   "{",
                                   "[1,]",
                                   "{\"a\":1,}",
                                   "nul",
                                   "1 2",
                                   "{\"a\":1}x",
                                   "'a'",
                                   "01",
                                   "[1] // comment",
                                   "NaN",
                                   "Infinity",
                                   "1e999",
                                   "\"\xff\"",
                                   "\"\xc0\x80\"",
                                   "{\"\xff\":1}",
                                   "\"\xed\xa0\x80\"",
                                   "\"\\ud800\"",
                                   "\"\\u0000\"",
                                   "{\"\\u0000\":1}",
                                   "\"\t\"",
                                   "\"open"}) {
        EXPECT_THAT(parse_error(text), HasSubstr(" at byte ")) << text;
    }
    EXPECT_FALSE(std::string{parse_error(std::string("\"\0\"", 3))}.empty());
}

TEST(JsonParse, IsExactAboutNumbers) {
    // Neighbours that an imprecise reader confuses.
    for (char const* text : {"0.1", "9007199254740993e0", "1.7976931348623157e308", "2.2250738585072011e-308",
                             "123456789.12345678", "5e-324", "3.141592653589793238462643383279"}) {
        EXPECT_EQ(read_well<double>(text), std::strtod(text, nullptr)) << text;
    }
}

TEST(StorableText, IsUtf8WithoutNul) {
    EXPECT_TRUE(is_storable_text("plain, é€😀"));
    EXPECT_FALSE(is_storable_text(std::string_view{"a\0", 2}));
    EXPECT_FALSE(is_storable_text("\xf4\x90\x80\x80"));
    EXPECT_EQ(storable_text("a\x80z\xe2\x82\xac"), "a\uFFFDz€");
}

}  // namespace
}  // namespace linkledger::json
