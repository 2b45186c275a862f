// Places by address, over a database of three networks.

#include "commands/geoip.h"
#include "tests/support/mmdb_writer.h"
#include "tests/support/temp_folder.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

namespace linkledger::commands {
namespace {

TEST(Geoip, FindsCountryRegionAndCity) {
    test::temp_folder const folder;
    auto const file = folder.file("city.mmdb");
    test::write_mmdb(file, {{"81.2.69.0/24", "GB", "England", "London"},
                            {"89.160.20.0/22", "SE", "", ""},
                            {"203.0.113.7/32", "AU", "New South Wales", ""}});
    auto const opened = geoip::open(file);
    ASSERT_TRUE(opened) << opened.error().detail;
    auto const& database = *opened.value();
    EXPECT_EQ(database.find("81.2.69.160"), (place{"GB", "England", "London"}));
    EXPECT_EQ(database.find("::81.2.69.160"), (place{"GB", "England", "London"}));
    EXPECT_EQ(database.find("89.160.23.255"), (place{"SE", {}, {}}));
    EXPECT_EQ(database.find("203.0.113.7"), (place{"AU", "New South Wales", {}}));
    EXPECT_EQ(database.find("203.0.113.8"), place{});
    EXPECT_EQ(database.find("2001:db8::1"), place{});
    EXPECT_EQ(database.find("localhost"), place{});
    EXPECT_EQ(database.find(""), place{});
}

TEST(Geoip, KnowsNoPlaceWithoutADatabase) {
    auto const opened = geoip::open("");
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened.value()->find("81.2.69.160"), place{});
}

TEST(Geoip, SaysWhichFileItCannotUse) {
    test::temp_folder const folder;
    auto const file = folder.file("not.mmdb");
    auto const missing = geoip::open(file);
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().detail.find(file), std::string::npos) << missing.error().detail;
    std::ofstream(file) << "this is no database";
    auto const wrong = geoip::open(file);
    ASSERT_FALSE(wrong);
    EXPECT_NE(wrong.error().detail.find(file), std::string::npos) << wrong.error().detail;
}

}  // namespace
}  // namespace linkledger::commands
