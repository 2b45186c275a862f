// spdlog with one of two shapes.

#include "api/logging.h"

#include "eventlog/json.h"

#include <fmt/format.h>
#include <spdlog/formatter.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <stdexcept>

namespace linkledger::api {

namespace {

/// `{"time": …, "level": …, "message": …}` and a newline; the text is escaped, so a message is one line.
class json_formatter final : public spdlog::formatter {
public:
    void format(spdlog::details::log_msg const& message, spdlog::memory_buf_t& to) override {
        auto const at = std::chrono::time_point_cast<std::chrono::microseconds>(message.time);
        auto const level = spdlog::level::to_string_view(message.level);
        json::bj::object const line{
            {"time", domain::to_rfc3339(at)},
            {"level", json::bj::string_view{level.data(), level.size()}},
            {"message", json::bj::string_view{message.payload.data(), message.payload.size()}}};
        auto const text = json::bj::serialize(line);
        to.append(text.data(), text.data() + text.size());
        to.push_back('\n');
    }
    [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
        return std::make_unique<json_formatter>();
    }
};

/// A line per message: what a client sent (a path, say) must not begin a line that looks like ours, or move
/// the cursor of who reads it.
class text_formatter final : public spdlog::formatter {
public:
    void format(spdlog::details::log_msg const& message, spdlog::memory_buf_t& to) override {
        auto const is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
        auto const& text = message.payload;
        if (std::none_of(text.begin(), text.end(), is_control)) return lines_.format(message, to);
        std::string plain;
        for (char const c : text) {
            if (is_control(c))
                fmt::format_to(std::back_inserter(plain), "\\x{:02x}", static_cast<unsigned char>(c));
            else
                plain += c;
        }
        auto escaped = message;
        escaped.payload = plain;
        lines_.format(escaped, to);
        message.color_range_start = escaped.color_range_start;
        message.color_range_end = escaped.color_range_end;
    }
    [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
        return std::make_unique<text_formatter>();
    }

private:
    spdlog::pattern_formatter lines_{"%Y-%m-%dT%H:%M:%S.%e %^%-5l%$ %v"};
};

[[nodiscard]] spdlog::level::level_enum level_of(std::string const& text) {
    for (auto const& name : {"trace", "debug", "info", "warn", "error", "off"})
        if (text == name) return spdlog::level::from_str(text);
    throw std::invalid_argument("the log level is one of trace, debug, info, warn, error, off");
}

}  // namespace

void set_up_logging(std::string const& level, std::string const& format) {
    auto const wanted = level_of(level);
    if (format != "text" && format != "json")
        throw std::invalid_argument("the log format is one of text, json");
    std::shared_ptr<spdlog::logger> logger;
    if (format == "json") {
        logger =
            std::make_shared<spdlog::logger>("linkledger", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        logger->set_formatter(std::make_unique<json_formatter>());
    } else {
        logger = std::make_shared<spdlog::logger>("linkledger",
                                                  std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
        logger->set_formatter(std::make_unique<text_formatter>());
    }
    logger->set_level(wanted);
    logger->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
}

}  // namespace linkledger::api
