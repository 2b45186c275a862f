#pragma once
// Clicks of a link by country, as the JSON of the column `clicks_by_country`.

#include <boost/json/value.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace linkledger::projections::links {

using country_counts = std::map<std::string, std::int64_t>;

/// By country, in the order of their letters: the same counts are always the same text.
[[nodiscard]] std::string to_json_text(country_counts const& counts);
/// Throws sql::error (`other`) when it is no such text.
[[nodiscard]] country_counts read_countries(std::string_view text);
/// The same as a value, for answers.
[[nodiscard]] boost::json::value parse_countries(std::string_view text);

}  // namespace linkledger::projections::links
