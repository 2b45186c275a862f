// UUIDs as text.

#include "domain/ids.h"

#include <gtest/gtest.h>

namespace linkledger::domain {
namespace {

constexpr char const* text = "0192f3c4-5d6e-7f80-91a2-b3c4d5e6f708";

TEST(Uuid, IsReadAsItWasWritten) {
    auto const id = parse_uuid(text);
    ASSERT_TRUE(id);
    EXPECT_EQ(id->bytes[0], 0x01);
    EXPECT_EQ(id->bytes[4], 0x5d);
    EXPECT_EQ(id->bytes[15], 0x08);
    EXPECT_EQ(to_string(*id), text);
    EXPECT_EQ(parse_uuid("0192F3C4-5D6E-7F80-91A2-B3C4D5E6F708"), id) << "capitals";
    EXPECT_EQ(to_string(uuid{}), "00000000-0000-0000-0000-000000000000");
}

TEST(Uuid, IsRefusedInAnyOtherForm) {
    EXPECT_FALSE(parse_uuid(""));
    EXPECT_FALSE(parse_uuid("0192f3c45d6e7f8091a2b3c4d5e6f708"));
    for (std::size_t at = 0; at < 36; ++at) {
        std::string wrong = text;
        wrong[at] = wrong[at] == '-' ? '0' : 'g';
        EXPECT_FALSE(parse_uuid(wrong)) << wrong;
        wrong[at] = '\xff';
        EXPECT_FALSE(parse_uuid(wrong)) << at;
    }
}

}  // namespace
}  // namespace linkledger::domain
