// Case folding over libunistring, with a shortcut for the ASCII that most links consist of.

#include "projections/fold.h"

#include <unicase.h>
#include <uninorm.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>

namespace linkledger::projections {
namespace {

std::string fold_ascii(std::string_view text) {
    std::string folded{text};
    for (char& c : folded) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return folded;
}

bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}  // namespace

std::string fold_case(std::string_view text) {
    if (is_ascii(text)) return fold_ascii(text);
    std::array<std::uint8_t, 1024> near{};
    std::size_t length = near.size();
    auto const* bytes = reinterpret_cast<std::uint8_t const*>(text.data());
    std::uint8_t* const folded = u8_casefold(bytes, text.size(), nullptr, UNINORM_NFC, near.data(), &length);
    if (folded == nullptr) return fold_ascii(text);
    std::string result(reinterpret_cast<char const*>(folded), length);
    if (folded != near.data()) std::free(folded);
    return result;
}

}  // namespace linkledger::projections
