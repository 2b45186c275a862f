#pragma once
// Names one set of tables of a projection: its version, and which build of it.

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace linkledger::projections {

/// A version that is built again while it is live, after a defect in its fold say, gets a second build beside
/// the first. The first is in the tables that the migrations made.
struct build_id {
    int version = 1;
    int build = 1;

    constexpr build_id() = default;
    constexpr build_id(int of_version, int number = 1) : version(of_version), build(number) {}
    [[nodiscard]] bool is_first() const { return build == 1; }

    auto operator<=>(build_id const&) const = default;
};

/// `2`, or `2.3` for the third build of version 2: what commands take.
[[nodiscard]] std::string to_string(build_id which);
[[nodiscard]] std::optional<build_id> parse_build(std::string_view text);

}  // namespace linkledger::projections
