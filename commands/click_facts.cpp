#include "commands/click_facts.h"

#include "domain/rules.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace linkledger::commands {

namespace {

constexpr std::string_view replacement_character = "\xEF\xBF\xBD";

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}
bool is_printable_ascii(char c) {
    return static_cast<unsigned char>(c) < 0x80 && !is_control(c);
}

/// The length of the character at the front, or 0 where it is not well-formed.
std::size_t character_length(std::string_view text) {
    auto const lead = static_cast<unsigned char>(text.front());
    std::size_t const length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (length > text.size() || !domain::rules::is_utf8(text.substr(0, length))) return 0;
    return length;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// Of application/x-www-form-urlencoded.
std::string decode_form(std::string_view text) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        bool const is_escape = text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
                               hex_digit(text[i + 2]) >= 0;
        if (is_escape) {
            decoded += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
            i += 2;
        } else {
            decoded += text[i] == '+' ? ' ' : text[i];
        }
    }
    return decoded;
}

bool starts_with_ignoring_case(std::string_view text, std::string_view lower_prefix) {
    if (text.size() < lower_prefix.size()) return false;
    return std::equal(lower_prefix.begin(), lower_prefix.end(), text.begin(),
                      [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b + 32 : b); });
}

std::string to_text(in_addr const& address) {
    std::array<char, INET_ADDRSTRLEN> text{};
    return inet_ntop(AF_INET, &address, text.data(), text.size());
}
std::string to_text(in6_addr const& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    return inet_ntop(AF_INET6, &address, text.data(), text.size());
}

}  // namespace

std::string clean_text(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max && std::all_of(text.begin(), text.end(), is_printable_ascii)) {
        return std::string(text);
    }
    std::string clean;
    clean.reserve(std::min(text.size(), bytes_max));
    while (!text.empty()) {
        std::size_t const length = character_length(text);
        std::string_view const character = length == 0 ? replacement_character : text.substr(0, length);
        if (clean.size() + character.size() > bytes_max) break;
        if (!is_control(character.front())) clean += character;
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return clean;
}

utm_values utm_of_query(std::string_view query) {
    utm_values found;
    if (query.find("utm_") == std::string_view::npos) return found;
    while (!query.empty()) {
        auto const end = std::min(query.find('&'), query.size());
        std::string_view const pair = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        auto const equals = pair.find('=');
        if (equals == std::string_view::npos) continue;
        std::string_view const name = pair.substr(0, equals);
        std::optional<std::string>* const into = name == "utm_source"     ? &found.source
                                                 : name == "utm_medium"   ? &found.medium
                                                 : name == "utm_campaign" ? &found.campaign
                                                                          : nullptr;
        if (into == nullptr || *into) continue;
        auto value = clean_text(decode_form(pair.substr(equals + 1)), utm_bytes_max);
        if (!value.empty()) *into = std::move(value);
    }
    return found;
}

std::optional<std::string> referer_domain(std::string_view referer) {
    bool const is_web =
        starts_with_ignoring_case(referer, "http://") || starts_with_ignoring_case(referer, "https://");
    if (!is_web) return std::nullopt;
    auto host = domain::rules::host_of(referer);
    if (host.empty() || host.size() > 253) return std::nullopt;
    return clean_text(host, 253);
}

std::optional<std::string> canonical_ip(std::string const& text) {
    in_addr v4{};
    if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return to_text(v4);
    in6_addr v6{};
    if (inet_pton(AF_INET6, text.c_str(), &v6) != 1) return std::nullopt;
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
        std::memcpy(&v4, v6.s6_addr + 12, sizeof v4);
        return to_text(v4);
    }
    return to_text(v6);
}

std::optional<std::string> kept_ip(std::optional<std::string> const& canonical, keep_ip keep) {
    if (keep == keep_ip::none || !canonical) return std::nullopt;
    if (keep == keep_ip::full) return canonical;
    in_addr v4{};
    if (inet_pton(AF_INET, canonical->c_str(), &v4) == 1) {
        v4.s_addr &= htonl(0xFFFFFF00U);
        return to_text(v4);
    }
    in6_addr v6{};
    if (inet_pton(AF_INET6, canonical->c_str(), &v6) != 1) return std::nullopt;
    std::fill(v6.s6_addr + 6, v6.s6_addr + 16, std::uint8_t{0});
    return to_text(v6);
}

bool is_short_code(std::string_view text) {
    auto const fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_';
    };
    return !text.empty() && text.size() <= domain::rules::short_code_characters_max &&
           std::all_of(text.begin(), text.end(), fits);
}

}  // namespace linkledger::commands
