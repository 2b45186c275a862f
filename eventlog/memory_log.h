#pragma once
// The log in memory: for tests, and for trying things out. It keeps every promise of the port but to outlive
// its process.

#include "eventlog/crypto.h"
#include "eventlog/event_log.h"

#include <functional>
#include <memory>

namespace linkledger::eventlog {

/// `clock` gives recorded_at, under the log's lock; simulations have one of their own, which may jump.
[[nodiscard]] std::unique_ptr<event_log> create_memory_log(std::function<timestamp()> clock = now);

}  // namespace linkledger::eventlog
