// Frozen samples of every event type: what was stored once must be read for good, and the current version
// must still be written byte for byte as then. Add a file to tests/golden for a new type or version; never
// change one.
#include "eventlog/codec.h"
#include "eventlog/json_reflect.h"
#include "paths.h"
#include "tests/support/read_file.h"

#include <gtest/gtest.h>

namespace linkledger::eventlog {
namespace {

namespace bj = boost::json;

struct event_type {
    std::string name;
    int version;
};

std::vector<event_type> all_event_types() {
    return {
#define LINKLEDGER_NAME(TYPE, NAME, VERSION) {NAME, VERSION},
        LINKLEDGER_EVENTS(LINKLEDGER_NAME)
#undef LINKLEDGER_NAME
    };
}

struct sample {
    std::string name;  ///< `full`, `minimal`, or what it shows.
    bj::value data;
    bj::value personal;  ///< Null: none.
};

struct sample_file {
    std::string path;
    std::string text;  ///< Empty: there is no such file.
    std::vector<sample> samples;
};

sample_file read_samples(event_type const& type, int version) {
    sample_file file;
    file.path = std::string{LINKLEDGER_SOURCE_DIR} + "/tests/golden/" + type.name + ".v" +
                std::to_string(version) + ".json";
    file.text = test::read_file(file.path);
    if (file.text.empty()) return file;
    std::string error;
    auto const document = json::parse(file.text, error);
    if (!document) {
        ADD_FAILURE() << file.path << ": " << error;
        return file;
    }
    for (auto const& item : document->as_object()) {
        file.samples.push_back({item.key(), item.value().at("data"), item.value().at("personal")});
    }
    return file;
}

result<domain::event> decode_sample(event_type const& type, int version, sample const& s) {
    std::string const personal = bj::serialize(s.personal);
    std::optional<std::string_view> stored;
    if (!s.personal.is_null()) stored = personal;
    return decode(type.name, version, bj::serialize(s.data), stored);
}

/// A sample as the file has it, from what the encoder writes.
std::string as_in_file(std::string const& name, encoded_event const& encoded) {
    return "  \"" + name + "\": {\n    \"data\": " + encoded.data +
           ",\n    \"personal\": " + encoded.personal.value_or("null") + "\n  }";
}

TEST(GoldenSamples, ExistForEveryVersionOfEveryEventType) {
    for (event_type const& type : all_event_types()) {
        for (int version = 1; version <= type.version; ++version) {
            sample_file const file = read_samples(type, version);
            std::vector<std::string> names;
            for (sample const& s : file.samples) names.push_back(s.name);
            EXPECT_TRUE(std::count(names.begin(), names.end(), "full") == 1 &&
                        std::count(names.begin(), names.end(), "minimal") == 1)
                << file.path << " must hold a full and a minimal sample of " << type.name;
        }
    }
}

TEST(GoldenSamples, OfEveryVersionAreRead) {
    for (event_type const& type : all_event_types()) {
        for (int version = 1; version <= type.version; ++version) {
            sample_file const file = read_samples(type, version);
            for (sample const& s : file.samples) {
                auto const event = decode_sample(type, version, s);
                ASSERT_TRUE(event) << file.path << ", " << s.name << ": " << event.error().detail;
                EXPECT_EQ(domain::type_name(event.value()), type.name);
            }
        }
    }
}

TEST(GoldenSamples, OfTheCurrentVersionAreWrittenByteForByte) {
    for (event_type const& type : all_event_types()) {
        sample_file const file = read_samples(type, type.version);
        std::string written = "{\n";
        for (sample const& s : file.samples) {
            auto const event = decode_sample(type, type.version, s);
            ASSERT_TRUE(event) << file.path << ", " << s.name << ": " << event.error().detail;
            encoded_event const encoded = encode(event.value());
            EXPECT_EQ(encoded.type, type.name);
            EXPECT_EQ(encoded.schema_version, type.version);
            written += as_in_file(s.name, encoded) + (&s == &file.samples.back() ? "\n" : ",\n");
        }
        EXPECT_EQ(written + "}\n", file.text) << file.path;
    }
}

// ---- Full means full
// ----------------------------------------------------------------------------------------

/// Counts the optional members that have no value, at any depth.
template <typename T>
std::size_t empty_optionals(T const& value) {
    std::size_t count = 0;
    if constexpr (json::detail::an_optional<T>) {
        return value ? empty_optionals(*value) : 1;
    } else if constexpr (json::detail::a_described_struct<T>) {
        json::detail::for_each_member<json::detail::nothing>(
            value, [&](std::string_view, auto const& field) { count += empty_optionals(field); });
    }
    return count;
}

template <typename T>
std::size_t filled_optionals(T const& value) {
    std::size_t count = 0;
    if constexpr (json::detail::an_optional<T>) {
        return value ? 1 : 0;
    } else if constexpr (json::detail::a_described_struct<T>) {
        json::detail::for_each_member<json::detail::nothing>(
            value, [&](std::string_view, auto const& field) { count += filled_optionals(field); });
    }
    return count;
}

TEST(GoldenSamples, ShowEveryFieldSetAndEveryOptionalOneEmpty) {
    for (event_type const& type : all_event_types()) {
        sample_file const file = read_samples(type, type.version);
        for (sample const& s : file.samples) {
            auto const event = decode_sample(type, type.version, s);
            ASSERT_TRUE(event) << file.path;
            auto const count = [&](auto const& counting) { return std::visit(counting, event.value()); };
            if (s.name == "full") {
                EXPECT_EQ(count([](auto const& e) { return empty_optionals(e); }), 0u) << file.path;
            }
            if (s.name == "minimal") {
                EXPECT_EQ(count([](auto const& e) { return filled_optionals(e); }), 0u) << file.path;
            }
        }
    }
}

}  // namespace
}  // namespace linkledger::eventlog
