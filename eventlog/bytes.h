#pragma once
// Ids, hashes and salts as bytes.

#include "domain/ids.h"

#include <array>
#include <cstdint>
#include <string_view>

namespace linkledger::eventlog {

/// Valid as long as `bytes` is.
template <std::size_t Size>
[[nodiscard]] std::string_view view_of(std::array<std::uint8_t, Size> const& bytes) {
    return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}
[[nodiscard]] inline std::string_view view_of(domain::uuid const& id) {
    return view_of(id.bytes);
}

}  // namespace linkledger::eventlog
