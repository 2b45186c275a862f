// Percent-encoding, forms and header hygiene: the parts of HTTP that need no connection.

#include "api/http.h"

#include <algorithm>
#include <cstdint>
#include <stdexcept>

namespace linkledger::api {

namespace {

[[nodiscard]] char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

[[nodiscard]] int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (lower(c) >= 'a' && lower(c) <= 'f') return lower(c) - 'a' + 10;
    return -1;
}

[[nodiscard]] bool is_continuation(unsigned char c) {
    return (c & 0xC0u) == 0x80u;
}

/// The length of the UTF-8 sequence at the start of `text`; 0 when it is not one (RFC 3629).
[[nodiscard]] std::size_t utf8_sequence(std::string_view text) {
    auto const at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    unsigned char const first = at(0);
    if (first < 0x80) return 1;
    std::size_t const length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if (!is_continuation(at(i))) return 0;
    if (first == 0xE0 && at(1) < 0xA0) return 0;
    if (first == 0xED && at(1) > 0x9F) return 0;
    if (first == 0xF0 && at(1) < 0x90) return 0;
    if (first == 0xF4 && at(1) > 0x8F) return 0;
    return length;
}

[[nodiscard]] bool is_text(std::string_view text) {
    while (!text.empty()) {
        if (text[0] == '\0') return false;
        auto const length = utf8_sequence(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

[[nodiscard]] std::optional<std::string> decode(std::string_view text, bool plus_is_space) {
    std::string plain;
    plain.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && plus_is_space) {
            plain += ' ';
        } else if (text[i] != '%') {
            plain += text[i];
        } else {
            if (i + 2 >= text.size()) return std::nullopt;
            int const high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
            if (high < 0 || low < 0) return std::nullopt;
            plain += static_cast<char>(high * 16 + low);
            i += 2;
        }
    }
    if (!is_text(plain)) return std::nullopt;
    return plain;
}

[[nodiscard]] bool holds_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
    });
}

}  // namespace

std::string_view method_text(method verb) {
    switch (verb) {
        case method::get:
            return "GET";
        case method::head:
            return "HEAD";
        case method::post:
            return "POST";
        case method::other:
            break;
    }
    return "OTHER";
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view request::header(std::string_view name) const {
    for (auto const& field : headers)
        if (equal_ignoring_case(field.name, name)) return field.value;
    return {};
}

bool request::has_header(std::string_view name) const {
    return std::any_of(headers.begin(), headers.end(),
                       [&](header_field const& field) { return equal_ignoring_case(field.name, name); });
}

std::optional<std::string> percent_decode(std::string_view text) {
    return decode(text, false);
}

std::optional<parameter_list> parse_form(std::string_view text) {
    parameter_list pairs;
    while (!text.empty()) {
        auto const end = std::min(text.find('&'), text.size());
        auto const pair = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (pair.empty()) continue;
        auto const equals = std::min(pair.find('='), pair.size());
        auto name = decode(pair.substr(0, equals), true);
        auto value = decode(pair.substr(std::min(equals + 1, pair.size())), true);
        if (!name || !value) return std::nullopt;
        pairs.emplace_back(std::move(*name), std::move(*value));
    }
    return pairs;
}

void response::add_header(std::string_view name, std::string_view value) {
    if (holds_control(name) || holds_control(value))
        throw std::invalid_argument("a control character in a response header");
    header_block_.append(name).append(": ").append(value).append("\r\n");
}

void response::clear() {
    status = 200;
    body.clear();
    stream = nullptr;
    close = false;
    header_block_.clear();
}

}  // namespace linkledger::api
