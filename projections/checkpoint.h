#pragma once
// What a projection's database says of its progress: the checkpoint, and the events that were parked.

#include "eventlog/event_log.h"
#include "eventlog/sql/connection.h"
#include "projections/projection.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace linkledger::projections {

struct checkpoint {
    domain::uuid log_id{};  ///< Nil: not started yet.
    std::int64_t epoch = 0;
    eventlog::position position = 0;
    std::optional<eventlog::timestamp> recorded_at{};  ///< Of the last event it moved past.
};

struct parked_event {
    eventlog::position position = 0;
    std::string subject;
    std::string type;
    std::string error;
    std::int64_t attempts = 1;
};

/// The aggregate that a stream belongs to: `link-<id>`, `clicks-<id>` and `bots-<id>` are of one.
[[nodiscard]] std::string subject_of(std::string_view stream);

// All throw sql::error. Writing ones belong into the transaction of the effects.

[[nodiscard]] checkpoint load_checkpoint(sql::connection& from, std::string_view name, int version);
/// From where it was to where it is, in the same history. `unavailable`, and nothing is written, when it is
/// not there: another process has moved it, and what was made of events from there on is theirs.
void move_checkpoint(sql::connection& in, std::string_view name, int version, checkpoint const& from,
                     checkpoint const& to);
/// Wherever it was.
void set_checkpoint(sql::connection& in, std::string_view name, int version, checkpoint const& to);
/// Empties the tables, forgets what was parked and sets the checkpoint to 0 of the log with that head.
void start_over(sql::connection& in, projection const& of, eventlog::log_head const& head);

/// Oldest first.
[[nodiscard]] std::vector<parked_event> load_parked(sql::connection& from, std::string_view name,
                                                    int version);
void park(sql::connection& in, std::string_view name, int version, parked_event const& event);
/// False: it was not parked any more.
[[nodiscard]] bool unpark(sql::connection& in, std::string_view name, int version, eventlog::position at);
/// Another attempt failed.
void park_again(sql::connection& in, std::string_view name, int version, parked_event const& event);

/// What an operator wants of parked events, in a process other than the one that runs the projection.
enum class parked_change {
    retry,  ///< No attempt counts: the runner tries it at its next look.
    skip,   ///< The event is given up; later ones of its aggregate are tried.
};
/// At one position, or (0) at all; how many there were. In a transaction of its own.
[[nodiscard]] std::int64_t change_parked(sql::connection& in, std::string_view name, int version,
                                         eventlog::position at, parked_change what);

}  // namespace linkledger::projections
