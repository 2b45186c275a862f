#pragma once
// Reads and decodes each stretch of the log once for all projections that are at the same place.

#include "eventlog/keyring.h"
#include "projections/event_source.h"
#include "projections/projection.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace linkledger::projections {

/// The events of wanted types in (after, until].
struct feed_page {
    eventlog::position after = 0;
    eventlog::position until = 0;
    std::vector<decoded_event> events;
    /// Events that do not decode, and why; their `event` means nothing.
    std::map<eventlog::position, std::string> defects;
};

struct feed_options {
    std::size_t page_events_max = 2'000;
    std::chrono::milliseconds linger{50};
    std::set<std::string, std::less<>> types;        ///< What the projections read together.
    std::set<std::string, std::less<>> cause_types;  ///< Those of them whose metadata and context are read.
    std::function<bool()> urgent;  ///< Whether someone waits for a position; then there is no lingering.

    /// What that projection reads, too.
    void read_for(projection const& one);
};

/// Fills in the other parts from `into.stored`; `corrupted` when they cannot be read.
[[nodiscard]] eventlog::result<void> decode_stored(decoded_event& into, eventlog::keyring& keys,
                                                   bool with_cause);

/// Safe to call from any thread. Keeps the few latest pages; a consumer that gets ahead of the others waits
/// for them (a second at most), rather than make them read again.
class event_feed {
public:
    event_feed(event_source& source, eventlog::keyring& keys, feed_options options);

    /// A page that goes on from `after` (it may start earlier: skip what is not above `after`); null when
    /// none came within `patience`, or at stop. Without patience: one that is at hand, or can be read at
    /// once.
    [[nodiscard]] eventlog::result<std::shared_ptr<feed_page const>> next(std::size_t consumer,
                                                                          eventlog::position after,
                                                                          std::chrono::milliseconds patience);
    /// Nobody waits for this consumer until it calls `next` again.
    void leave(std::size_t consumer);
    /// `urgent` may have become true.
    void nudge();
    /// Positions are of another history now.
    void clear();
    void stop();

private:
    using page_pointer = std::shared_ptr<feed_page const>;
    using clock = std::chrono::steady_clock;

    [[nodiscard]] page_pointer find(eventlog::position after) const;
    [[nodiscard]] bool ahead_of_others(std::size_t consumer) const;
    [[nodiscard]] bool wait_for_more(std::unique_lock<std::mutex>& lock, eventlog::position after,
                                     clock::time_point deadline);
    [[nodiscard]] eventlog::result<page_pointer> read(std::unique_lock<std::mutex>& lock,
                                                      eventlog::position after);
    [[nodiscard]] eventlog::result<page_pointer> fetch(eventlog::position after);
    void forget_erased(eventlog::recorded_event const& stored);

    event_source& source_;
    eventlog::keyring& keys_;
    feed_options options_;
    bool every_type_ = false;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<page_pointer> pages_;
    std::map<std::size_t, eventlog::position> consumers_;
    eventlog::position known_until_ = 0;  ///< The log has events up to here, at least.
    clock::time_point last_read_{};
    std::size_t clearings_ = 0;
    bool reading_ = false;
    bool tailing_ = false;
    bool stopped_ = false;
};

}  // namespace linkledger::projections
