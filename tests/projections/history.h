#pragma once
// Writes a history of events into a log, for projections to read.

#include "domain/event.h"
#include "eventlog/event_log.h"
#include "eventlog/keyring.h"
#include "eventlog/metadata.h"

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace linkledger::test {

using domain::timestamp;

/// What an event is recorded with.
struct told {
    domain::workspace_id workspace{};
    eventlog::actor actor{};
    eventlog::request_context context{};
    std::optional<timestamp> at{};  ///< occurred_at; none: a minute after the event before.
};

class history {
public:
    explicit history(eventlog::event_log& log, std::uint32_t seed = 1);

    [[nodiscard]] eventlog::event_log& log() { return log_; }
    [[nodiscard]] eventlog::keyring& keys() { return keys_; }

    /// Appends one event, its personal part sealed under `subject`; returns its position.
    eventlog::position tell(std::string const& stream, domain::event const& event, told const& with = {},
                            std::string const& subject = "somebody");
    /// Appends several at once, each to its stream.
    struct line {
        std::string stream;
        domain::event event;
        told with{};
        std::string subject = "somebody";
    };
    eventlog::position tell(std::vector<line> const& lines);
    /// Appends bytes that are no such event.
    eventlog::position tell_garbage(std::string const& stream, std::string const& type);

    /// Destroys the key of a subject.
    void erase(std::string const& subject);

    [[nodiscard]] domain::uuid id();
    [[nodiscard]] timestamp now() const { return now_; }
    void set_now(timestamp at) { now_ = at; }

private:
    [[nodiscard]] eventlog::event_body body_of(line const& from);
    eventlog::position append(eventlog::append_request request);

    eventlog::event_log& log_;
    eventlog::keyring keys_;
    std::mt19937_64 random_;
    timestamp now_;
    domain::uuid producer_;
    std::int64_t sequence_ = 0;
};

}  // namespace linkledger::test
