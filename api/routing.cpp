// From a path to its endpoint: a table that is made once, by number of segments and first literal ones.

#include "api/endpoints.h"

#include <string>
#include <vector>

namespace linkledger::api {

namespace {

using segments = std::vector<std::string_view>;

[[nodiscard]] segments split(std::string_view path) {
    segments parts;
    path.remove_prefix(1);
    for (;;) {
        auto const slash = path.find('/');
        parts.push_back(path.substr(0, slash));
        if (slash == std::string_view::npos) return parts;
        path.remove_prefix(slash + 1);
    }
}

struct pattern {
    endpoint const* of;
    segments parts;
};

[[nodiscard]] std::vector<pattern> const& patterns() {
    static auto const all = [] {
        std::vector<pattern> made;
        for (auto const& each : endpoints()) made.push_back({&each, split(each.path)});
        return made;
    }();
    return all;
}

[[nodiscard]] bool matches(segments const& wanted, segments const& given,
                           std::array<std::string_view, 2>& values) {
    bool const open_ended = wanted.back() == "{rest}" && given.size() >= wanted.size();
    if (wanted.size() != given.size() && !open_ended) return false;
    std::size_t found = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (!wanted[i].starts_with('{')) {
            if (wanted[i] != given[i]) return false;
        } else {
            if (given[i].empty() || found == values.size()) return false;
            values[found++] = given[i];
            // Segments are views of one path: the last one's end is the path's.
            if (wanted[i] == "{rest}")
                values[found - 1] = {given[i].data(), given.back().data() + given.back().size()};
        }
    }
    return true;
}

}  // namespace

route find_route(method verb, std::string_view path) {
    route found;
    // The redirect comes by here: with one segment, no path of several is looked at and nothing allocated.
    bool const is_short = path.find('/', 1) == std::string_view::npos;
    segments const given = is_short ? segments{} : split(path);
    for (auto const& [of, parts] : patterns()) {
        std::array<std::string_view, 2> values{};
        if (is_short ? of->path != path : !matches(parts, given, values)) continue;
        if (of->verb == verb || (of->verb == method::get && verb == method::head)) {
            found.to = of;
            found.values = values;
            return found;
        }
        found.allow = of->verb == method::get ? "GET, HEAD" : "POST";
    }
    return found;
}

std::vector<parameter> parameters_of(endpoint const& of) {
    std::vector<parameter> all(of.parameters.begin(), of.parameters.end());
    if (has(of.groups, parameter_group::paging)) {
        all.push_back({"page", parameter_type::integer, "From 1 on.", {}, 1, 1'000'000});
        all.push_back({"per_page", parameter_type::integer, "20 unless told.", {}, 1, 100});
    }
    if (has(of.groups, parameter_group::cursor))
        all.push_back({"cursor", parameter_type::text,
                       "The `cursor` of the page before, in place of `page`: as fast however deep."});
    if (has(of.groups, parameter_group::waiting)) {
        all.push_back({"after", parameter_type::integer,
                       "The answer reflects at least this position of the log, or is 504."});
        all.push_back({"wait_ms",
                       parameter_type::integer,
                       "How long to wait for `after`; 5,000 unless told.",
                       {},
                       0,
                       5'000});
    }
    return all;
}

}  // namespace linkledger::api
