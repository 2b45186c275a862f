#pragma once
// Moments of the past: up to a position, or up to a time of recording.

#include "eventlog/event_log.h"

#include <string_view>
#include <variant>

namespace linkledger::projections {

/// `?as_of=`: everything up to the position, or recorded at or before the time.
using moment = std::variant<eventlog::position, domain::timestamp>;

/// A position, or a time as RFC 3339. None: neither.
[[nodiscard]] std::optional<moment> parse_moment(std::string_view text);

[[nodiscard]] bool includes(moment const& at, eventlog::recorded_event const& event);

/// The stream's events up to the moment, oldest first.
[[nodiscard]] eventlog::result<std::vector<eventlog::recorded_event>> read_until(eventlog::event_log& log,
                                                                                 std::string const& stream,
                                                                                 moment const& at);

/// The stream's version at the moment: found by halving, so a long stream is not read.
[[nodiscard]] eventlog::result<eventlog::version> version_at(eventlog::event_log& log,
                                                             std::string const& stream, moment const& at);

/// How a table of derived rows, each with its event's id and recording time, is cut at a moment of a stream:
/// rows recorded before `before`, those recorded at `before` only when they are among `ids`.
struct time_cut {
    eventlog::position position = 0;  ///< Of the last row; a read model that is there has them all.
    domain::timestamp before{};
    std::vector<domain::uuid> ids;
};
/// Of the stream's first `last` events.
[[nodiscard]] eventlog::result<time_cut> cut_at(eventlog::event_log& log, std::string const& stream,
                                                eventlog::version last);

}  // namespace linkledger::projections
