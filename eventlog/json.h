#pragma once
// Described structs to Boost.JSON and back; strict or tolerant as the source demands. Include it in .cpp
// files only (it is slow to compile).

#include "domain/ids.h"
#include "domain/time.h"

#include <boost/describe.hpp>
#include <boost/json.hpp>
#include <boost/mp11.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace linkledger::json {

namespace bj = boost::json;

/// What a reader does with a field that the struct does not have: stored events are read tolerantly, API
/// input strictly (each unknown field becomes an error that names it).
enum class unknown_fields { ignore, refuse };

struct read_error {
    std::string path;     ///< `tags[3]`, `data.url`; empty for the whole.
    std::string message;  ///< `must be a string`, `is required`, `is not a known field`, …
};

/// What a writer does with an empty optional. Stored JSON leaves it out; an answer may show it as null. Of an
/// optional<optional>, an empty outer one is always left out and an empty inner one is always null.
enum class empty_fields { leave_out, null };

// to_value(T), append_text(T) and read(value, T&, ...) for: bool, integers, double, std::string, uuid, strong
// ids, timestamp, described enums (by name), optional, optional<optional> (absent / null / value), vector,
// described structs, boost::json::value. Definitions in json_reflect.h.

template <typename T>
[[nodiscard]] bj::value to_value(T const& value, empty_fields empty = empty_fields::leave_out);

/// Appends the JSON text of `value`, without a document in between: the fast way to stored text, where empty
/// optionals are left out. Bytes that are no valid UTF-8, and NUL, which SQL text cannot hold, become U+FFFD.
template <typename T>
void append_text(std::string& out, T const& value);
template <typename T>
[[nodiscard]] std::string to_text(T const& value);

/// False when anything was refused; every error found is appended to `errors`, up to 100 in all. Members that
/// are not optional are required. Null is an empty optional.
template <typename T>
bool read(bj::value const& from, T& into, std::string const& path, unknown_fields unknown,
          std::vector<read_error>& errors);

/// Parses with the limits of this project: depth 32, no duplicate keys (the last one does not silently win),
/// valid UTF-8 only, no NUL in strings, numbers precise. None: `error` says why and where. The value lives in
/// `storage`.
[[nodiscard]] std::optional<bj::value> parse(std::string_view text, std::string& error,
                                             bj::storage_ptr storage = {});

/// Well-formed UTF-8 (RFC 3629) without NUL: what a stored string may be.
[[nodiscard]] bool is_storable_text(std::string_view text);
/// `text`, with U+FFFD for what is not storable.
[[nodiscard]] std::string storable_text(std::string_view text);

}  // namespace linkledger::json
