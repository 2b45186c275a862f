#pragma once
// What is served: one line per endpoint, from which routes, checks of input, scopes and the reference come.

#include "api/http.h"
#include "domain/access.h"

#include <boost/json/fwd.hpp>

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>

namespace linkledger::api {

class exchange;
class schema_registry;

enum class parameter_type { text, integer, uuid, time, boolean, choice };

/// A query parameter. One that no parameter describes is refused by name, as is a value of another type.
struct parameter {
    std::string_view name;
    parameter_type type = parameter_type::text;
    std::string_view description;
    std::string_view choices{};  ///< Of a choice: `asc,desc`.
    std::int64_t minimum = 0;    ///< Of an integer.
    std::int64_t maximum = std::numeric_limits<std::int64_t>::max();
};

/// Parameters that come in groups, added to an endpoint's own.
enum class parameter_group : unsigned { none = 0, waiting = 1, paging = 2, cursor = 4 };
[[nodiscard]] constexpr parameter_group operator|(parameter_group a, parameter_group b) {
    return static_cast<parameter_group>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
[[nodiscard]] constexpr bool has(parameter_group all, parameter_group one) {
    return (static_cast<unsigned>(all) & static_cast<unsigned>(one)) != 0;
}

struct endpoint {
    method verb = method::get;
    /// `/v1/links/{id}`; `{id}` is a UUID, other names are text. `{rest}` at the end is all that is left.
    std::string_view path;
    std::optional<domain::scope> scope;  ///< None: open to everyone.
    std::string_view summary;
    awaitable<void> (*handle)(exchange&);
    std::span<parameter const> parameters{};
    parameter_group groups = parameter_group::none;
    boost::json::value (*response)(schema_registry&) = nullptr;  ///< Schema of the 200; none: no JSON.
    std::string_view media_type = "application/json";
    std::string_view tag = "Reads";
};

/// Every endpoint but the redirect, which has all paths of one segment that no endpoint has.
[[nodiscard]] std::span<endpoint const> endpoints();

/// The parameters of an endpoint, those of its groups included.
[[nodiscard]] std::vector<parameter> parameters_of(endpoint const& of);

/// A route: the endpoint and what stands for its names in braces.
struct route {
    endpoint const* to = nullptr;  ///< None: no such path, or (then `allow` says) not with this method.
    std::array<std::string_view, 2> values{};
    std::string_view allow{};
};
/// HEAD finds what GET would.
[[nodiscard]] route find_route(method verb, std::string_view path);

}  // namespace linkledger::api
