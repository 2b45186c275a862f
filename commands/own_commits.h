#pragma once
// The positions that this process has applied to its memory at commit, so that the tail need not decode them
// again.

#include "eventlog/event_log.h"

#include <algorithm>
#include <mutex>
#include <set>

namespace linkledger::commands {

/// Safe to call from any thread.
class own_commits {
public:
    /// `first` to `last`, where the tail has not come yet.
    void add(eventlog::position first, eventlog::position last) {
        std::lock_guard const lock{mutex_};
        for (auto at = std::max(first, passed_ + 1); at <= last; ++at) waiting_.insert(at);
    }

    /// Whether the event was applied already. To be asked in the order of positions.
    [[nodiscard]] bool take(eventlog::position at) {
        std::lock_guard const lock{mutex_};
        passed_ = at;
        waiting_.erase(waiting_.begin(), waiting_.lower_bound(at));
        return waiting_.erase(at) > 0;
    }

    /// Another history begins: its positions are others.
    void clear() {
        std::lock_guard const lock{mutex_};
        waiting_.clear();
        passed_ = 0;
    }

private:
    std::mutex mutex_;
    std::set<eventlog::position> waiting_;
    eventlog::position passed_ = 0;
};

}  // namespace linkledger::commands
