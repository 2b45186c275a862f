#pragma once
// A few members of a JSON text that we wrote ourselves, without making a document of it. For reading
// millions.

#include <span>
#include <string_view>

namespace linkledger::json {

struct plain_field {
    std::string_view name;
    std::string_view text{};  ///< Of a string without its quotes, else as it stands; empty: absent, or null.
};

/// Finds members of an object by name. False when the text is not of the plain form that event codecs write,
/// or a member looked for has an escape in it: then read it with `parse`. It says nothing of whether the rest
/// is valid.
[[nodiscard]] bool read_plain_fields(std::string_view object, std::span<plain_field> fields);

}  // namespace linkledger::json
