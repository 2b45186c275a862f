// Lines of the log: one per message, whatever clients put into it.

#include "api/logging.h"

#include <spdlog/spdlog.h>

#include <gtest/gtest.h>

#include <algorithm>

namespace linkledger::api {
namespace {

/// What a message becomes on stderr. The logger that the other tests use is put back.
std::string logged(std::string const& format, std::string const& message) {
    auto const before = spdlog::default_logger();
    testing::internal::CaptureStderr();
    set_up_logging("info", format);
    spdlog::info("{}", message);
    spdlog::default_logger()->flush();
    auto text = testing::internal::GetCapturedStderr();
    spdlog::set_default_logger(before);
    return text;
}

TEST(LogLine, IsOneLineWhateverAClientSent) {
    std::string const forged = "GET /a\r\n2026-01-01T00:00:00.000 info  all is well\x1B[2J\x7F";
    for (auto const* format : {"text", "json"}) {
        auto const text = logged(format, forged);
        EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
        EXPECT_TRUE(text.ends_with('\n'));
        EXPECT_EQ(text.find('\r'), std::string::npos);
        EXPECT_EQ(text.find('\x1B'), std::string::npos);
    }
    EXPECT_NE(logged("text", forged).find("GET /a\\x0d\\x0a2026"), std::string::npos);
}

TEST(LogLine, LeavesOtherTextAsItIs) {
    EXPECT_NE(logged("text", "caf\xC3\xA9 \\x0a").find("info  caf\xC3\xA9 \\x0a\n"), std::string::npos);
}

}  // namespace
}  // namespace linkledger::api
