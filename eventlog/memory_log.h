#pragma once
// The log in memory: for tests, and for trying things out. It keeps every promise of the port but to outlive
// its process.

#include "eventlog/event_log.h"

#include <memory>

namespace linkledger::eventlog {

[[nodiscard]] std::unique_ptr<event_log> create_memory_log();

}  // namespace linkledger::eventlog
