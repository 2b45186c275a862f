// Stored JSON of events: tolerance towards the future, exactness towards damage, upcasting, sealed parts.
#include "eventlog/codec.h"

#include "eventlog/crypto.h"
#include "eventlog/memory_log.h"
#include "eventlog/upcast.h"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <gmock/gmock.h>

namespace linkledger::eventlog {
namespace {

using testing::HasSubstr;

constexpr std::string_view a_click =
    R"({"link_id":"0192f0d0-0000-7000-8000-000000000001","short_code":"abc","is_bot":false})";

failure failure_of(std::string_view type, int version, std::string_view data,
                   std::optional<std::string_view> personal = std::nullopt) {
    auto const event = decode(type, version, data, personal);
    EXPECT_FALSE(event);
    return event ? failure{} : event.error();
}

TEST(Encode, KeepsThePersonalPartApart) {
    domain::click::clicked click;
    click.short_code = "abc";
    click.personal = {.visitor = "hash", .user_agent = "Firefox"};
    encoded_event const encoded = encode(click);
    EXPECT_EQ(encoded.type, "link.clicked");
    EXPECT_EQ(encoded.data,
              R"({"link_id":"00000000-0000-0000-0000-000000000000","short_code":"abc","is_bot":false})");
    EXPECT_EQ(encoded.personal, R"({"visitor":"hash","user_agent":"Firefox"})");
    click.personal.reset();
    EXPECT_EQ(encode(click).personal, std::nullopt);
}

TEST(Encode, WritesWhatAVisitorSentAsStorableText) {
    domain::click::clicked click;
    click.utm_source = std::string("a\0b\xff", 4);
    click.personal = {.visitor = "hash", .user_agent = "\xf0\x28"};
    encoded_event const encoded = encode(click);
    auto const event = decode(encoded.type, 1, encoded.data, encoded.personal);
    ASSERT_TRUE(event) << event.error().detail;
    EXPECT_EQ(std::get<domain::click::clicked>(event.value()).utm_source, "a\uFFFDb\uFFFD");
}

TEST(Decode, GivesTheSameForOurOwnFormAndForAnyOther) {
    domain::link::updated updated;
    updated.before.title.emplace("a");
    updated.after.title.emplace(std::nullopt);
    updated.after.max_clicks.emplace(0);
    updated.after.tags = std::vector<std::string>{"x", "y"};
    updated.after.expires_at.emplace(domain::from_unix_us(1'700'000'000'000'001));
    domain::click::clicked click;
    click.short_code = "abc";
    click.country_code = "DE";
    click.is_bot = true;
    for (domain::event const& event : {domain::event{updated}, domain::event{click}}) {
        auto const encoded = encode(event);
        auto other = encoded.data;
        other.insert(1, " ");
        auto const own = decode(encoded.type, encoded.schema_version, encoded.data, std::nullopt);
        auto const parsed = decode(encoded.type, encoded.schema_version, other, std::nullopt);
        ASSERT_TRUE(own && parsed);
        EXPECT_EQ(own.value(), event);
        EXPECT_EQ(parsed.value(), event);
    }
}

TEST(Decode, IgnoresFieldsOfTheFuture) {
    std::string data{a_click};
    data.insert(1, R"("future":{"deep":[1]},"personal":"not here",)");
    auto const event = decode("link.clicked", 1, data, R"({"visitor":"v","future":1})");
    ASSERT_TRUE(event) << event.error().detail;
    EXPECT_EQ(std::get<domain::click::clicked>(event.value()).personal->visitor, "v");
}

TEST(Decode, HasNoPersonalPartWhereItWasErased) {
    auto const event = decode("link.clicked", 1, a_click, std::nullopt);
    ASSERT_TRUE(event);
    EXPECT_EQ(std::get<domain::click::clicked>(event.value()).personal, std::nullopt);
}

TEST(Decode, SaysWhatIsDamagedAndWhere) {
    failure const missing = failure_of("link.clicked", 1, R"({"short_code":"abc","is_bot":false})");
    EXPECT_EQ(missing.code, failure_code::corrupted);
    EXPECT_EQ(missing.detail, "stored data of link.clicked does not fit: data.link_id is required");
    EXPECT_THAT(failure_of("link.clicked", 1, a_click, R"({"visitor":7})").detail,
                HasSubstr("personal.visitor must be a string"));
    EXPECT_THAT(failure_of("link.clicked", 1, "{").detail, HasSubstr("incomplete JSON"));
    EXPECT_THAT(failure_of("link.clicked", 1, "[]").detail, HasSubstr("no object"));
    EXPECT_EQ(failure_of("link.clocked", 1, a_click).detail, "unknown event type link.clocked");
}

TEST(Decode, RefusesVersionsItCannotRead) {
    failure const newer = failure_of("link.clicked", 2, a_click);
    EXPECT_EQ(newer.code, failure_code::corrupted);
    EXPECT_THAT(newer.detail, HasSubstr("schema version 2"));
    EXPECT_THAT(failure_of("link.clicked", 0, a_click).detail, HasSubstr("schema version 0"));
}

/// As if version 1 of link.clicked had been preceded by two others: in the first the code was called `code`
/// and the user agent was not personal, in the second bots were not marked.
upcaster_table invented_upcasters() {
    namespace bj = boost::json;
    upcaster_table table;
    table.add("link.clicked", -1, [](bj::object& data, bj::object* personal) {
        data["short_code"] = data.at("code");
        data.erase("code");
        if (personal != nullptr) (*personal)["user_agent"] = data.at("agent");
        data.erase("agent");
    });
    table.add("link.clicked", 0, [](bj::object& data, bj::object*) {
        data["is_bot"] = data.at("short_code").as_string() == "robots";
    });
    return table;
}

TEST(Upcasters, LiftOldVersionsStepByStep) {
    upcaster_table const table = invented_upcasters();
    std::string_view const oldest =
        R"({"link_id":"0192f0d0-0000-7000-8000-000000000001","code":"robots","agent":"crawler"})";
    auto const lifted = decode("link.clicked", -1, oldest, R"({"visitor":"v"})", table);
    ASSERT_TRUE(lifted) << lifted.error().detail;
    auto const& click = std::get<domain::click::clicked>(lifted.value());
    EXPECT_EQ(click.short_code, "robots");
    EXPECT_TRUE(click.is_bot);
    EXPECT_EQ(click.personal->user_agent, "crawler");

    auto const erased = decode("link.clicked", -1, oldest, std::nullopt, table);
    ASSERT_TRUE(erased);
    EXPECT_EQ(std::get<domain::click::clicked>(erased.value()).personal, std::nullopt);
}

TEST(Upcasters, LeaveTheCurrentVersionAlone) {
    auto const event = decode("link.clicked", 1, a_click, std::nullopt, invented_upcasters());
    ASSERT_TRUE(event);
    EXPECT_EQ(encode(event.value()).data, a_click);
}

TEST(Upcasters, AreAllNeeded) {
    upcaster_table const table = invented_upcasters();
    EXPECT_FALSE(decode("link.clicked", -2, a_click, std::nullopt, table));
    EXPECT_FALSE(decode("link.enabled", 0, a_click, std::nullopt, table));
}

TEST(DecodeStored, OpensTheSealedPartWhileItsKeyLives) {
    auto const log = create_memory_log();
    keyring keys{*log, master_key{random_bytes(32)}};
    auto const key = keys.get_or_create("clicks-today").value();
    recorded_event stored;
    stored.body.event_id = new_uuid_v7();
    stored.body.type = "link.clicked";
    stored.body.data = a_click;
    stored.body.personal =
        keyring::seal(*key, R"({"visitor":"v"})", stored.body.event_id, sealed_part::personal);

    auto const open = decode(stored, keys);
    ASSERT_TRUE(open);
    EXPECT_EQ(std::get<domain::click::clicked>(open.value()).personal->visitor, "v");

    ASSERT_TRUE(keys.destroy(key->key_id));
    auto const erased = decode(stored, keys);
    ASSERT_TRUE(erased);
    EXPECT_EQ(std::get<domain::click::clicked>(erased.value()).personal, std::nullopt);
}

TEST(Metadata, ReadsBackWhatItWrites) {
    metadata value{"CreateLink", new_uuid_v7(), new_uuid_v7(), new_uuid_v7(), "00-4bf9-00f0-01", {}};
    value.actor = {actor_kind::key, domain::user_id{new_uuid_v7()}, domain::api_key_id{new_uuid_v7()}};
    EXPECT_EQ(decode_metadata(encode_metadata(value)).value(), value);
    metadata const minimal{.command = "ClickLink", .actor = {actor_kind::visitor, {}, {}}};
    EXPECT_EQ(decode_metadata(encode_metadata(minimal)).value(), minimal);
    EXPECT_EQ(decode_metadata("{}").error().code, failure_code::corrupted);

    request_context const context{"192.0.2.0", "curl/8"};
    EXPECT_EQ(decode_context(encode_context(context)).value(), context);
    EXPECT_EQ(encode_context({}), "{}");
}

}  // namespace
}  // namespace linkledger::eventlog
