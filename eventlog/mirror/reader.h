#pragma once
// Reads the mirror in order from a position on, and never trusts what it gets.

#include "eventlog/mirror/jetstream.h"

#include <chrono>
#include <memory>
#include <vector>

namespace linkledger::eventlog::mirror {

/// Not thread-safe. After a failure it is of no more use: make another.
class reader {
public:
    /// Events after `after`, which must be of that history. `ask_events` are asked for at a time, and twice
    /// as many are under way.
    reader(jetstream& from, history const& of, position after, std::size_t ask_events = 2'000);
    ~reader();
    reader(reader const&) = delete;
    reader& operator=(reader const&) = delete;

    /// Waits for an event, `patience` at most; then takes what is there, `limit` at most. None: there was
    /// none. `unavailable`: the connection or the consumer was lost. `corrupted`: the mirror does not go on
    /// with the next position of that history.
    [[nodiscard]] result<std::vector<recorded_event>> next(std::size_t limit,
                                                           std::chrono::milliseconds patience);
    /// True as soon as `next` has something to give.
    [[nodiscard]] result<bool> wait(std::chrono::milliseconds patience);

    /// How many more the mirror had when the last one was sent.
    [[nodiscard]] std::int64_t pending() const;
    /// The last event that `next` gave.
    [[nodiscard]] position at() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace linkledger::eventlog::mirror
