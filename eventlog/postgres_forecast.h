#pragma once
// What the next batch is likely to find in PostgreSQL, so that leaf hashes can be computed before the lock is
// taken. A forecast decides nothing: the server takes a hash only where the forecast was right.

#include "eventlog/event_log.h"

#include <vector>

namespace linkledger::eventlog {

/// One writer's own view, from the outcomes of its batches. Not safe to call from several threads at once.
class postgres_forecast {
public:
    postgres_forecast();

    /// False while others write too, or nothing is known yet: then hashes made here would be of no use.
    [[nodiscard]] bool is_likely() const { return likely_; }
    [[nodiscard]] position head() const { return head_; }
    /// This process's clock, and no less than the last batch's time.
    [[nodiscard]] timestamp recorded_at() const;
    /// 0 for a stream that this writer has not met, or no longer remembers.
    [[nodiscard]] version version_of(std::string_view stream) const;

    void learn(append_batch const& batch, batch_outcome const& outcome);

private:
    struct entry {
        std::uint64_t tag = 0;
        version at = 0;
    };
    void note(std::string_view stream, version at);

    bool likely_ = false;
    position head_ = -1;
    timestamp recorded_at_{};
    /// By a stream's hash. One that takes another's place makes a forecast wrong, and nothing else.
    std::vector<entry> versions_;
};

}  // namespace linkledger::eventlog
