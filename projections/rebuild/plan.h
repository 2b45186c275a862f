#pragma once
// What a build was begun with, as its notes keep it.

#include "eventlog/event_log.h"

#include <optional>
#include <string>
#include <string_view>

namespace linkledger::projections {

struct build_plan {
    domain::uuid id{};  ///< Of this attempt: parts of another one are not taken for its own.
    eventlog::log_head head;
    eventlog::position range_events = 0;
};

[[nodiscard]] std::string to_text(build_plan const& plan);
[[nodiscard]] std::optional<build_plan> parse_plan(std::string_view text);

}  // namespace linkledger::projections
