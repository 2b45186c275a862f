#pragma once
// Keeps the mirror in JetStream what the log is. Any number may run, in any number of processes, without
// electing anyone: the condition on every message lets one of them win, and the others stand by.

#include "eventlog/event_log.h"
#include "eventlog/mirror/nats_connection.h"
#include "eventlog/mirror/publisher.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace linkledger::eventlog::mirror {

enum class note_level { info, warning };

struct relay_options {
    nats_options nats{};
    int replicas = 1;  ///< Of the stream, when it is made.
    publisher_options publishing{};
    std::size_t page_events = 1'000;
    /// Between looks at whether the stream still is a beginning of the log.
    std::chrono::milliseconds check_interval{1'000};
    /// How long the stream must stand still, with more in the log, before one that stands by takes over.
    std::chrono::milliseconds standby_pause{200};
    std::chrono::milliseconds retry_pause_max{2'000};
    /// Lines for the process's log; called from the relay's thread.
    std::function<void(note_level, std::string const&)> note;
};

enum class relay_role {
    away,        ///< NATS or the log cannot be reached.
    standby,     ///< Another relay publishes, or there is nothing to publish.
    publishing,  ///< This one does.
};

struct relay_stats {
    relay_role role = relay_role::away;
    position mirrored = 0;  ///< The stream's last sequence, as last seen.
    position head = 0;      ///< The log's, as last seen.
    std::uint64_t published = 0;
    std::uint64_t repairs = 0;  ///< Streams found to be lost, damaged or of another history, and made anew.
    std::uint64_t races_lost = 0;  ///< To another relay.
    std::uint64_t failures = 0;
    std::string last_failure;
};

/// Works on a thread of its own from `start` to `stop`. Blocks nobody: appends never wait for it.
class relay {
public:
    /// Throws std::invalid_argument for a URL that cannot be used. `log` must outlive it.
    relay(event_log& log, relay_options options);
    ~relay();  ///< Stops.
    relay(relay const&) = delete;
    relay& operator=(relay const&) = delete;

    void start();
    /// Waits for acknowledgements of what is under way. A second call changes nothing.
    void stop();

    /// From any thread.
    [[nodiscard]] relay_stats stats() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace linkledger::eventlog::mirror
