#pragma once
// Events from the mirror in JetStream, and from the log whenever the mirror is not as it should be.

#include "eventlog/mirror/nats_connection.h"
#include "projections/event_source.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace linkledger::projections {

struct mirror_source_options {
    eventlog::mirror::nats_options nats{};
    /// How long the mirror may lack an event that the log has, before the log is read.
    std::chrono::milliseconds behind_patience{50};
    /// How long the log is read before the mirror is tried again; doubled with every failure in a row.
    std::chrono::milliseconds retry_pause_min{500};
    std::chrono::milliseconds retry_pause_max{5'000};
    /// A reader of rare types that is further behind reads the log, whose indexes know where they are.
    eventlog::position rare_types_distance = 20'000;
    /// A page that is not full is given after so long, while more is on its way.
    std::chrono::milliseconds page_patience{200};
    /// At the start, so that a server that is there is not called away.
    std::chrono::milliseconds connect_patience{500};
};

struct mirror_source_stats {
    bool on_mirror = false;  ///< The last events came from there.
    std::uint64_t mirror_events = 0;
    std::uint64_t log_events = 0;
    std::uint64_t fallbacks = 0;  ///< Times that the log was turned to.
    std::string reason;           ///< Of the last one.
};

/// Reads from checkpoint + 1 with pull consumers, one for each of a few places that projections are at. Takes
/// nothing but the very next position of the log's own history; anything else makes it read the log for a
/// while, and so does a query that the log answers better (of a stream, a workspace, a range, one event).
class mirror_source : public event_source {
public:
    [[nodiscard]] virtual mirror_source_stats stats() const = 0;
};

/// `log` must outlive it. Throws std::invalid_argument for a URL that cannot be used; that NATS is away does
/// not matter.
[[nodiscard]] std::unique_ptr<mirror_source> create_mirror_source(eventlog::event_log& log,
                                                                  mirror_source_options const& options);
/// With a JetStream that is there already.
[[nodiscard]] std::unique_ptr<mirror_source> create_mirror_source(
    eventlog::event_log& log, std::unique_ptr<eventlog::mirror::jetstream> from,
    mirror_source_options const& options);

}  // namespace linkledger::projections
