#include "projections/build_id.h"

#include <charconv>

namespace linkledger::projections {
namespace {

std::optional<int> parse_number(std::string_view text) {
    int number = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number < 1) return std::nullopt;
    return number;
}

}  // namespace

std::string to_string(build_id which) {
    auto text = std::to_string(which.version);
    if (!which.is_first()) text += "." + std::to_string(which.build);
    return text;
}

std::optional<build_id> parse_build(std::string_view text) {
    auto const dot = text.find('.');
    auto const version = parse_number(text.substr(0, dot));
    if (!version) return std::nullopt;
    if (dot == std::string_view::npos) return build_id{*version};
    auto const build = parse_number(text.substr(dot + 1));
    if (!build) return std::nullopt;
    return build_id{*version, *build};
}

}  // namespace linkledger::projections
