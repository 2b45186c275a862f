#include "projections/links/countries.h"

#include "eventlog/sql/connection.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace linkledger::projections::links {
namespace {

namespace bj = boost::json;

[[noreturn]] void refuse() {
    throw sql::error{sql::error::kind::other, "clicks_by_country is no object of numbers"};
}

}  // namespace

std::string to_json_text(country_counts const& counts) {
    bj::object object;
    for (auto const& [country, clicks] : counts) object[country] = clicks;
    return bj::serialize(object);
}

boost::json::value parse_countries(std::string_view text) {
    boost::system::error_code failed;
    auto value = bj::parse(bj::string_view{text.data(), text.size()}, failed);
    if (failed || !value.is_object()) refuse();
    return value;
}

country_counts read_countries(std::string_view text) {
    country_counts counts;
    auto const parsed = parse_countries(text);
    for (auto const& [country, clicks] : parsed.get_object()) {
        if (!clicks.is_int64()) refuse();
        counts.emplace(std::string{country}, clicks.as_int64());
    }
    return counts;
}

}  // namespace linkledger::projections::links
