#pragma once
// A batch in the form that the server's function `log_append` takes, and the function's answer read back.
// See migrations/postgres/000001_event_log.up.sql for the meaning of each part.

#include "eventlog/event_log.h"
#include "eventlog/postgres_forecast.h"

#include <span>
#include <string>
#include <vector>

namespace linkledger::eventlog {

/// `$1` to `$38` of a call of `log_append`.
inline constexpr int postgres_batch_parameters = 38;

/// What is named several times in a batch goes to the server once and is referred to by number, from 1.
class postgres_batch {
public:
    postgres_batch(append_batch const& batch, postgres_forecast const& forecast);

    /// In PostgreSQL's binary form.
    [[nodiscard]] std::vector<std::string> const& parameters() const { return parameters_; }

    /// What the function answers.
    struct answer {
        bool resent = false;
        bool uniform = false;
        position first_position = 0;
        timestamp recorded_at{};
        std::vector<std::int64_t> numbers;
    };
    /// Replayed outcomes come without their response: the caller reads it by the id of the idempotency entry.
    /// `corrupted` when the answer is not one to this batch.
    [[nodiscard]] result<batch_outcome> read(answer const& from) const;

private:
    struct encoder;

    [[nodiscard]] result<batch_outcome> read_uniform(answer const& from) const;
    [[nodiscard]] result<batch_outcome> read_each(answer const& from) const;

    append_batch const& batch_;
    std::vector<std::string> parameters_;
    std::vector<int> part_streams_;                ///< Numbers of streams, in order of the stream appends.
    std::vector<std::vector<std::size_t>> order_;  ///< Of claim changes: as sent, to as given.
};

/// Reads `{1,2,3}`; none for another form.
[[nodiscard]] std::optional<std::vector<std::int64_t>> parse_number_array(std::string_view text);

}  // namespace linkledger::eventlog
