// Times as text.

#include "domain/time.h"

#include <gtest/gtest.h>

#include <string>

namespace linkledger::domain {
namespace {

TEST(Timestamp, IsReadInEveryFormOfRfc3339) {
    auto const noon = to_rfc3339(*parse_timestamp("2026-11-21T12:00:00Z"));
    EXPECT_EQ(noon, "2026-11-21T12:00:00.000000Z");
    for (auto const* same : {"2026-11-21t12:00:00z", "2026-11-21 12:00:00Z", "2026-11-21T13:30:00+01:30",
                             "2026-11-21T11:00:00.000000000-01:00"})
        EXPECT_EQ(to_rfc3339(parse_timestamp(same).value_or(timestamp{})), noon) << same;
}

TEST(Timestamp, IsRefusedWhenItIsNone) {
    for (auto const* no :
         {"", "2026-11-21", "2026-11-21T12:00:00", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z",
          "2026-11-21T24:00:00Z", "2026-11-21T12:60:00Z", "2026-11-21T12:00:60Z", "2026-11-21T12:00:00.Z",
          "2026-11-21T12:00:00.0000000000Z", "2026-11-21T12:00:00+24:00", "12026-01-01T00:00:00Z",
          "2026-11-21T12:00:00ZZ", "-026-01-01T00:00:00Z"})
        EXPECT_FALSE(parse_timestamp(no)) << no;
}

TEST(Timestamp, LiesInAYearThatBothDatabasesHaveFourDigitsFor) {
    EXPECT_TRUE(parse_timestamp("0001-01-01T00:00:00Z"));
    EXPECT_TRUE(parse_timestamp("9999-12-31T23:59:59.999999Z"));
    for (auto const* no : {"0000-12-31T23:59:59Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"})
        EXPECT_FALSE(parse_timestamp(no)) << no;
}

}  // namespace
}  // namespace linkledger::domain
