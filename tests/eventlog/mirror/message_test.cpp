// The form of an event in the mirror: every byte comes back, and other JSON readers understand it.
#include "eventlog/mirror/message.h"

#include "eventlog/crypto.h"
#include "eventlog/leaf_hash.h"
#include "eventlog/metadata.h"

#include <boost/json.hpp>

#include <gmock/gmock.h>

namespace linkledger::eventlog::mirror {
namespace {

using testing::Contains;
using testing::Key;
using testing::Not;
using testing::Pair;

constexpr auto a_trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

recorded_event sample() {
    recorded_event event;
    event.position = 42;
    event.stream = "clicks-0192f0d0-0000-7000-8000-000000000001";
    event.version = 7;
    event.recorded_at = domain::from_unix_us(1'700'000'001'000'001);
    auto& body = event.body;
    body.event_id = new_uuid_v7();
    body.type = "link.clicked";
    body.workspace_id = new_uuid_v7();
    body.data = R"({"a" : "é \" }","b":[1,2]})";
    body.personal = {new_uuid_v7(), std::string{"sealed\0part", 11}};
    body.metadata = std::string{R"({"command":"ClickLink","correlation_id":"c-1","traceparent":")"} +
                    a_trace + R"(","actor":{"kind":"visitor"}})";
    body.occurred_at = domain::from_unix_us(1'700'000'000'123'456);
    body.salt = new_salt();
    event.leaf_hash = leaf_hash_of(event);
    return event;
}

history const somewhere{uuid{{1, 2, 3}}, 4};

message encoded(recorded_event const& event) {
    message made;
    encode(event, somewhere, made);
    return made;
}

TEST(MirrorMessage, ComesBackByteForByte) {
    auto events = std::vector{sample(), sample(), sample(), sample()};
    events[1].body.personal = {new_uuid_v7(), ""};
    events[1].body.context = {new_uuid_v7(), std::string(257, '\xff')};
    events[2].body = {};
    events[2].stream = "quote\" backslash\\ newline\n end\\";
    events[3].body.personal = {{}, "of no key"};
    events[3].body.data = std::string(100'000, 'x');
    for (auto const& event : events) {
        auto const back = decode(encoded(event).payload);
        ASSERT_TRUE(back);
        EXPECT_EQ(back.value().event, event);
        EXPECT_EQ(back.value().of, somewhere);
        EXPECT_EQ(leaf_hash_of(back.value().event), leaf_hash_of(event));
    }
}

TEST(MirrorMessage, IsJsonThatAnyClientReads) {
    auto const event = sample();
    auto const payload = encoded(event).payload;
    auto const json = boost::json::parse(payload).as_object();
    EXPECT_EQ(json.at("position").as_int64(), 42);
    EXPECT_EQ(json.at("type").as_string(), "link.clicked");
    EXPECT_EQ(json.at("data").at("b").as_array().size(), 2u);
    EXPECT_EQ(json.at("metadata").at("command").as_string(), "ClickLink");
    EXPECT_TRUE(json.at("context").is_null());
    // The stored bytes of both, counted from the end, as docs/mirror.md says.
    auto const metadata_bytes = static_cast<std::size_t>(json.at("metadata_bytes").as_int64());
    auto const data_bytes = static_cast<std::size_t>(json.at("data_bytes").as_int64());
    auto const metadata_at = payload.size() - 1 - metadata_bytes;
    EXPECT_EQ(payload.substr(metadata_at, metadata_bytes), event.body.metadata);
    EXPECT_EQ(payload.substr(metadata_at - 12 - data_bytes, data_bytes), event.body.data);
}

TEST(MirrorMessage, HasWhatRoutersNeedInSubjectAndHeaders) {
    auto const event = sample();
    auto const made = encoded(event);
    EXPECT_EQ(made.subject,
              "linkledger.events." + domain::to_string(event.body.workspace_id) + ".link.clicked");
    EXPECT_THAT(made.headers, Contains(Pair("Linkledger-Log", to_string(somewhere))));
    EXPECT_THAT(made.headers, Contains(Pair("Linkledger-Type", "link.clicked")));
    EXPECT_THAT(made.headers, Contains(Pair("Linkledger-Stream", event.stream)));
    EXPECT_THAT(made.headers, Contains(Pair("Linkledger-Version", "7")));
    EXPECT_THAT(made.headers, Contains(Pair("Linkledger-Schema-Version", "1")));
    EXPECT_THAT(made.headers, Contains(Pair("Linkledger-Correlation-Id", "c-1")));
    EXPECT_THAT(made.headers, Contains(Pair("traceparent", a_trace)));
}

TEST(MirrorMessage, KeepsNoHeaderOfAnEarlierOne) {
    message made;
    encode(sample(), somewhere, made);
    auto event = sample();
    event.body.metadata = "{}";
    encode(event, somewhere, made);
    EXPECT_THAT(made.headers, Not(Contains(Key("traceparent"))));
}

TEST(MirrorMessage, LetsNoTextEscapeIntoSubjectOrHeaders) {
    auto event = sample();
    event.body.workspace_id = {};
    event.body.type = "a..b. *\r\n>.";
    event.stream = "x\r\nInjected: yes";
    event.body.metadata = R"({"traceparent":"\r\nInjected: yes"})";
    auto const made = encoded(event);
    EXPECT_EQ(made.subject, "linkledger.events.none.a._b._____._");
    EXPECT_THAT(made.headers, Contains(Pair("Linkledger-Stream", "x  Injected: yes")));
    EXPECT_THAT(made.headers, Not(Contains(Key("traceparent"))));
}

TEST(MirrorMessage, IsRefusedWhenCutOrChangedInForm) {
    auto const payload = encoded(sample()).payload;
    for (std::size_t length = 0; length < payload.size(); ++length)
        ASSERT_FALSE(decode(payload.substr(0, length))) << length;
    EXPECT_FALSE(decode(payload + " "));
    EXPECT_FALSE(decode("{\"hello\":1}"));
}

}  // namespace
}  // namespace linkledger::eventlog::mirror
