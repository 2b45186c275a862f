// Limits on connections, as an operator sets them.

#include "tests/cli/served.h"
#include "tests/support/http_client.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace linkledger::test {
namespace {

using tests::raw_connection;

constexpr auto request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

TEST(ConnectionLimits, AreThoseOfTheEnvironment) {
    site const at{"sqlite"};
    served serve{at, {{"CONNECTIONS_PER_ADDRESS_MAX", "3"}}};
    auto const port = static_cast<std::uint16_t>(serve.port());
    std::vector<std::unique_ptr<raw_connection>> open;
    std::size_t answered = 0;
    // The connection that asked whether the server is ready may still be open.
    for (int i = 0; i < 6; ++i) {
        open.push_back(std::make_unique<raw_connection>(port));
        open.back()->send(request);
        answered += open.back()->receive_response() ? 1 : 0;
    }
    EXPECT_GE(answered, 2u);
    EXPECT_LE(answered, 3u);
}

TEST(ConnectionLimits, LetALoadGeneratorIn) {
    site const at{"sqlite"};
    served serve{at};
    std::vector<std::unique_ptr<raw_connection>> open;
    for (int i = 0; i < 1'000; ++i) {
        open.push_back(std::make_unique<raw_connection>(static_cast<std::uint16_t>(serve.port())));
        open.back()->send(request);
    }
    for (auto& each : open) ASSERT_TRUE(each->receive_response());
}

}  // namespace
}  // namespace linkledger::test
