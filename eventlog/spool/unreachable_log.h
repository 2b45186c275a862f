#pragma once
// A log that is not there: every call says so. What a process starts with that has to do without its
// database.

#include "eventlog/event_log.h"

#include <memory>

namespace linkledger::eventlog {

/// All calls fail at once as `unavailable` with `why`; `wait_beyond` waits until its deadline.
[[nodiscard]] std::unique_ptr<event_log> create_unreachable_log(std::string why);

}  // namespace linkledger::eventlog
