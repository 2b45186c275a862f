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

// to_value(T) and read(value, T&, path, unknown_fields, errors) for: bool, integers, double, std::string,
// uuid, strong ids, timestamp, described enums (by name), optional, optional<optional> (absent / null /
// value), vector, described structs, boost::json::value. Definitions in json_reflect.h.

template <typename T>
[[nodiscard]] bj::value to_value(T const& value);

/// False when anything was refused; every error found is appended to `errors`.
template <typename T>
bool read(bj::value const& from, T& into, std::string const& path, unknown_fields unknown,
          std::vector<read_error>& errors);

/// Parses with the limits of this project: depth 32, no duplicate keys (the last one does not silently win),
/// valid UTF-8 only, numbers precise. None: `error` says why and where.
[[nodiscard]] std::optional<bj::value> parse(std::string_view text, std::string& error);

}  // namespace linkledger::json
