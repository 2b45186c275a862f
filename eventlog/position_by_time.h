#pragma once
// Where in the log a time is: recorded_at never decreases from one position to the next.

#include "eventlog/event_log.h"

namespace linkledger::eventlog {

/// The last position, `last` at most, that was recorded before `time`; 0 when there is none. Reads one event
/// per halving.
[[nodiscard]] result<position> position_before(event_log& log, timestamp time, position last);

}  // namespace linkledger::eventlog
