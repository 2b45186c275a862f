#pragma once
// Where a runner gets events from: the log, or a mirror of it.

#include "eventlog/event_log.h"

#include <chrono>
#include <memory>

namespace linkledger::projections {

/// Safe to call from any thread; the contracts are those of eventlog::event_log.
class event_source {
public:
    virtual ~event_source() = default;
    virtual eventlog::result<eventlog::log_head> head() = 0;
    virtual eventlog::result<eventlog::read_page> read(eventlog::read_query const& query) = 0;
    virtual bool wait_beyond(eventlog::position after, std::chrono::milliseconds deadline) = 0;
};

/// Reads the log itself; `log` must outlive it.
[[nodiscard]] std::unique_ptr<event_source> create_log_source(eventlog::event_log& log);

}  // namespace linkledger::projections
