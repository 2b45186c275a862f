// The pieces of a sorted rebuild: parts, slices of them, fields of stored text.

#include "eventlog/json_fields.h"
#include "projections/rebuild/part.h"
#include "projections/rebuild/part_store.h"
#include "projections/rebuild/payload.h"
#include "projections/rebuild/pieces.h"
#include "projections/registry.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <random>

namespace linkledger::projections {
namespace {

record_key key_of(std::uint32_t subject, unsigned char kind, std::uint32_t place) {
    domain::uuid id;
    for (int i = 0; i < 4; ++i)
        id.bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(subject >> (24 - 8 * i));
    record_key key{id, kind};
    std::array<unsigned char, 4> bytes{};
    for (int i = 0; i < 4; ++i)
        bytes[static_cast<std::size_t>(i)] = static_cast<unsigned char>(place >> (24 - 8 * i));
    key.set_place(bytes.data(), bytes.size());
    return key;
}

TEST(Parts, GiveEveryRecordOnceAndInOrderHoweverTheyAreCut) {
    std::mt19937 random{1};
    std::vector<record_key> all;
    std::vector<part_builder::part> parts;
    for (int p = 0; p < 5; ++p) {
        part_builder builder;
        for (int i = 0; i < 3'000; ++i) {
            auto const key =
                key_of(random() % 200, static_cast<unsigned char>(1 + random() % 3), random() % 50);
            all.push_back(key);
            builder.add(key, std::string(random() % 40, 'x'));
        }
        parts.push_back(builder.take());
        EXPECT_TRUE(builder.empty());
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());

    std::vector<record_key> cuts{record_key{}};
    for (int i = 0; i < 6; ++i) cuts.push_back(all[random() % all.size()]);
    std::sort(cuts.begin(), cuts.end());
    std::vector<record_key> found;
    for (std::size_t i = 0; i < cuts.size(); ++i) {
        std::optional<record_key> to;
        if (i + 1 < cuts.size()) to = cuts[i + 1];
        record_set set;
        for (auto const& part : parts) {
            auto const slice = find_slice(read_marks(part.marks), cuts[i], to);
            if (slice.size == 0) continue;
            set.add(part.bytes.substr(static_cast<std::size_t>(slice.offset),
                                      static_cast<std::size_t>(slice.size)),
                    cuts[i], to);
        }
        for (auto const& each : set.sorted()) found.push_back(each.key);
    }
    EXPECT_EQ(found, all);
}

TEST(Parts, OfNothingAreEmpty) {
    part_builder builder;
    auto const part = builder.take();
    EXPECT_TRUE(part.bytes.empty());
    EXPECT_EQ(find_slice(read_marks(part.marks), std::nullopt, std::nullopt).size, 0);
}

TEST(PartStore, KeepsWholePartsAndForgetsHalfOnes) {
    test::temp_folder folder;
    auto const store = create_sqlite_read_store(folder.file("linkledger.db"));
    auto const of = std::move(create_all().front());
    part_store const parts{*store, *of, 1, domain::uuid{}};
    parts.create();
    part_builder builder;
    for (std::uint32_t i = 0; i < 500; ++i) builder.add(key_of(i, 1, i), std::string(i % 20, 'x'));
    auto const made = builder.take();
    parts.put(0, made);
    parts.put(700, made);
    EXPECT_THAT(parts.ranges(), testing::ElementsAre(0, 700));
    EXPECT_EQ(parts.marks(700), made.marks);
    EXPECT_EQ(parts.slice(700, {37, 100}), made.bytes.substr(37, 100));
    EXPECT_GT(part_bytes(*store, *of, 1), static_cast<std::int64_t>(2 * made.bytes.size()));

    // What a power cut leaves.
    for (auto const& each : std::filesystem::recursive_directory_iterator{store->scratch_folder()})
        if (each.path().filename() == "700") std::filesystem::resize_file(each, 300);
    EXPECT_THAT(parts.ranges(), testing::ElementsAre(0));
    parts.remove();
    EXPECT_THAT(parts.ranges(), testing::IsEmpty());
    EXPECT_FALSE(std::filesystem::exists(store->scratch_folder()));
}

TEST(Payload, GivesARowAsItWas) {
    sql::parameters const row{nullptr,
                              true,
                              std::int64_t{-5},
                              0.5,
                              std::string("a\0b", 3),
                              sql::blob{"bytes"},
                              domain::uuid{{1, 2, 3}},
                              domain::from_unix_us(1'700'000'000'000'001)};
    std::string bytes;
    put_row(bytes, row);
    payload_reader from{bytes};
    EXPECT_EQ(read_row(from), row);
    EXPECT_TRUE(from.done());
    payload_reader cut{std::string_view{bytes}.substr(0, bytes.size() - 1)};
    EXPECT_THROW((void)read_row(cut), sql::error);
}

TEST(PlainFields, AreFoundByNameWithoutReadingTheRest) {
    std::array<json::plain_field, 3> fields{{{"link_id"}, {"is_bot"}, {"country_code"}}};
    ASSERT_TRUE(json::read_plain_fields(
        R"({"x":{"link_id":"inner"},"link_id":"abc","y":["}",{"a":1}],"is_bot":false,"n":-1.5e3,"z":"a\"b"})",
        fields));
    EXPECT_EQ(fields[0].text, "abc");
    EXPECT_EQ(fields[1].text, "false");
    EXPECT_EQ(fields[2].text, "");
    ASSERT_TRUE(json::read_plain_fields(R"({"country_code":null})", fields));
    EXPECT_EQ(fields[2].text, "");
    EXPECT_TRUE(json::read_plain_fields("{}", fields));
}

TEST(PlainFields, LeaveWhatIsNotPlainToTheParser) {
    std::array<json::plain_field, 1> fields{{{"a"}}};
    for (auto const* const text : {"", "[]", "{", R"({"a")", R"({"a":"\n"})", R"({"a":{}})", R"({"a":"b")",
                                   R"({"a":"b"} )", R"( {"a":"b"})", R"({"a": "b"})", R"({"a":"b",})"})
        EXPECT_FALSE(json::read_plain_fields(text, fields)) << text;
}

TEST(Pace, HoldsTheThreadsTogetherToIt) {
    std::atomic<bool> stop = false;
    pace slow{1'000};
    auto const started = std::chrono::steady_clock::now();
    for (int i = 0; i < 4; ++i) slow.spend(50, stop);
    EXPECT_GE(std::chrono::steady_clock::now() - started, std::chrono::milliseconds{190});
    stop = true;
    slow.spend(1'000'000, stop);
}

}  // namespace
}  // namespace linkledger::projections
