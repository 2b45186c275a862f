#pragma once
// The window that real-time counters count in, as a value.

#include "domain/time.h"
#include "eventlog/event_log.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace linkledger::projections::realtime {

/// A window by recorded time: it opens with the first click after the last one ended.
struct click_window {
    static constexpr std::chrono::seconds length{86'400};

    domain::timestamp opened_at{};
    std::int64_t count = 0;           ///< 0: no window so far.
    eventlog::position position = 0;  ///< Of the last click that was counted.

    [[nodiscard]] domain::timestamp expires_at() const { return opened_at + length; }

    /// A click from before the window (one that was parked and is tried again) counts no more.
    void add(domain::timestamp recorded_at, eventlog::position at) {
        if (count > 0 && recorded_at < opened_at) return;
        if (count == 0 || recorded_at >= expires_at()) {
            opened_at = recorded_at;
            count = 0;
        }
        ++count;
        position = std::max(position, at);
    }

    bool operator==(click_window const&) const = default;
};

}  // namespace linkledger::projections::realtime
