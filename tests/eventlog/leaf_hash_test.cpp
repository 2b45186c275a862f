// The leaf hash's known answer, computed by another program from the header's words; and that every stored
// field is committed to.
#include "eventlog/leaf_hash.h"

#include "eventlog/crypto.h"

#include <gtest/gtest.h>

#include <functional>
#include <numeric>

namespace linkledger::eventlog {
namespace {

template <std::size_t Size>
std::array<std::uint8_t, Size> counting_from(std::uint8_t first) {
    std::array<std::uint8_t, Size> bytes;
    std::iota(bytes.begin(), bytes.end(), first);
    return bytes;
}

recorded_event sample() {
    recorded_event event;
    event.position = 42;
    event.stream = "link-1";
    event.version = 7;
    event.recorded_at = domain::from_unix_us(1'700'000'001'000'001);
    event.body.event_id.bytes = counting_from<16>(16);
    event.body.type = "link.created";
    event.body.workspace_id.bytes = counting_from<16>(32);
    event.body.data = "{\"a\":\"é\"}";
    event.body.personal = {uuid{counting_from<16>(48)}, std::string{"sealed\0part", 11}};
    event.body.context = {uuid{counting_from<16>(64)}, ""};
    event.body.metadata = "{}";
    event.body.occurred_at = domain::from_unix_us(1'700'000'000'123'456);
    event.body.salt = counting_from<16>(0);
    return event;
}

TEST(LeafHash, HasTheKnownAnswer) {
    recorded_event const event = sample();
    digest const body = body_hash(event.stream, event.body);
    EXPECT_EQ(to_hex(body), "8eb66b010962f2ea36522a11d2cd5ca5fc806890f11fb2dbf1543d33aa505e93");
    digest const committed = commitment(event.position, event.version, event.recorded_at, body);
    EXPECT_EQ(to_hex(committed), "7faf800481ca199f735a597c08ce95a1d1a2f00935bf7faac43f52b00c8a2cdb");
    EXPECT_EQ(to_hex(leaf_hash(committed)),
              "ee06b0186be18be626bf84d7090a54d86538a2fbff6c959b7254a34d00063ca3");
    EXPECT_EQ(leaf_hash_of(event), leaf_hash(committed));
}

TEST(LeafHash, ChangesWithEveryStoredField) {
    std::vector<std::function<void(recorded_event&)>> const alterations{
        [](recorded_event& e) { ++e.position; },
        [](recorded_event& e) { ++e.version; },
        [](recorded_event& e) { e.recorded_at += std::chrono::microseconds{1}; },
        [](recorded_event& e) { e.stream += 'x'; },
        [](recorded_event& e) { ++e.body.event_id.bytes[0]; },
        [](recorded_event& e) { e.body.type += 'x'; },
        [](recorded_event& e) { ++e.body.schema_version; },
        [](recorded_event& e) { ++e.body.workspace_id.bytes[0]; },
        [](recorded_event& e) { e.body.data += ' '; },
        [](recorded_event& e) { ++e.body.personal.key_id.bytes[0]; },
        [](recorded_event& e) { e.body.personal.bytes += 'x'; },
        [](recorded_event& e) { ++e.body.context.key_id.bytes[0]; },
        [](recorded_event& e) { e.body.context.bytes += 'x'; },
        [](recorded_event& e) { e.body.metadata += ' '; },
        [](recorded_event& e) { e.body.occurred_at += std::chrono::microseconds{1}; },
        [](recorded_event& e) { ++e.body.salt[0]; },
    };
    for (std::size_t i = 0; i < alterations.size(); ++i) {
        recorded_event altered = sample();
        alterations[i](altered);
        EXPECT_NE(leaf_hash_of(altered), leaf_hash_of(sample())) << "alteration " << i;
    }
}

}  // namespace
}  // namespace linkledger::eventlog
