// X-Forwarded-For from proxies that are trusted, and from everybody else.

#include "api/client_address.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace linkledger::api {
namespace {

std::string client_of(std::vector<std::string> const& trusted, std::string_view remote,
                      std::vector<std::string_view> const& forwarded) {
    request from;
    from.remote_address = remote;
    for (auto const each : forwarded) from.headers.push_back({"x-forwarded-for", each});
    return trusted_proxies{trusted}.client_of(from);
}

TEST(ClientAddress, IsTheConnectionsWhenNoProxyIsTrusted) {
    EXPECT_EQ(client_of({}, "10.0.0.1", {"203.0.113.7"}), "10.0.0.1");
    EXPECT_EQ(client_of({"10.1.0.0/16"}, "10.0.0.1", {"203.0.113.7"}), "10.0.0.1");
}

TEST(ClientAddress, IsTheNearestThatIsNoTrustedProxy) {
    std::vector<std::string> const trusted{"10.0.0.0/8", "::1", "2001:db8::/32"};
    EXPECT_EQ(client_of(trusted, "10.0.0.1", {"198.51.100.1, 203.0.113.7, 10.9.9.9"}), "203.0.113.7");
    EXPECT_EQ(client_of(trusted, "10.0.0.1", {"198.51.100.1", "203.0.113.7"}), "203.0.113.7");
    EXPECT_EQ(client_of(trusted, "2001:db8::5", {"2a00::1"}), "2a00::1");
    EXPECT_EQ(client_of(trusted, "10.0.0.1", {"10.0.0.2"}), "10.0.0.2");
    EXPECT_EQ(client_of(trusted, "10.0.0.1", {}), "10.0.0.1");
}

TEST(ClientAddress, DoesNotTakeWhatIsNoAddress) {
    std::vector<std::string> const trusted{"127.0.0.1"};
    EXPECT_EQ(client_of(trusted, "127.0.0.1", {"203.0.113.7, unknown"}), "127.0.0.1");
    EXPECT_EQ(client_of(trusted, "127.0.0.1", {"<script>"}), "127.0.0.1");
}

TEST(ClientAddress, RefusesRangesThatAreNone) {
    for (auto const* bad :
         {"", "proxy.example", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "::/129", "1.2.3/8"})
        EXPECT_THROW(trusted_proxies{{bad}}, std::invalid_argument) << bad;
    EXPECT_TRUE(trusted_proxies{{"0.0.0.0/0"}}.trusts("192.0.2.1"));
    EXPECT_FALSE(trusted_proxies{{"0.0.0.0/0"}}.trusts("2001:db8::1"));
}

TEST(ClientAddress, IsKeptAsFarAsConfigured) {
    using commands::keep_ip;
    EXPECT_EQ(kept_address("203.0.113.77", keep_ip::none), std::nullopt);
    EXPECT_EQ(kept_address("203.0.113.77", keep_ip::truncated), "203.0.113.0");
    EXPECT_EQ(kept_address("2001:db8:1:2:3:4:5:6", keep_ip::truncated), "2001:db8:1::");
    EXPECT_EQ(kept_address("203.0.113.77", keep_ip::full), "203.0.113.77");
    EXPECT_EQ(kept_address("nonsense", keep_ip::full), std::nullopt);
}

}  // namespace
}  // namespace linkledger::api
