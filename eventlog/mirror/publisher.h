#pragma once
// Publishes events in order, each under the condition that the one before it is the stream's last: many under
// way at once, and never one twice or out of place.

#include "eventlog/mirror/jetstream.h"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace linkledger::eventlog::mirror {

struct publisher_options {
    std::size_t window_events = 8'192;  ///< Under way at once, at most.
    std::size_t window_bytes = 16 * 1024 * 1024;
    /// An acknowledgement is asked for every so many events: the condition makes one speak for all before it.
    std::size_t acknowledge_every = 64;
    std::chrono::milliseconds patience{5'000};  ///< For the next acknowledgement, when one is due.
};

enum class publish_outcome {
    done,
    lost_race,   ///< The stream's last message is another: someone else publishes, or it is not as thought.
    no_stream,   ///< Nobody stores what is published.
    unavailable  ///< The connection, or the server: look again.
};

/// Not thread-safe. Anything but `done` ends it: what was under way may or may not be stored.
class publisher {
public:
    /// `after` is the last sequence of the stream.
    publisher(jetstream& to, history const& of, position after, publisher_options const& options);
    ~publisher();
    publisher(publisher const&) = delete;
    publisher& operator=(publisher const&) = delete;

    /// The event after the last one. Waits while too many are under way. `pause_follows`: nothing more comes
    /// for now, so the acknowledgement is wanted.
    [[nodiscard]] publish_outcome publish(recorded_event const& event, bool pause_follows);
    /// Looks for acknowledgements without waiting.
    [[nodiscard]] publish_outcome poll();
    /// Waits until everything is acknowledged.
    [[nodiscard]] publish_outcome flush();

    /// Every event up to here is in the stream.
    [[nodiscard]] position acknowledged() const;
    /// Why the last outcome was not `done`, for a log.
    [[nodiscard]] std::string const& reason() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace linkledger::eventlog::mirror
