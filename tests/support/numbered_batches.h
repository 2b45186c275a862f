#pragma once
// Batches that a test can make again from their numbers, and the check that a log holds them whole, once and
// in order: for tests that kill writers, cut the power, or race processes.

#include "eventlog/event_log.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace linkledger::test {

/// The batch `sequence` of writer `writer`: `appends` appends, each of one event to the writer's own stream
/// or to one of eight that all share; every fifth writes both. Equal numbers give equal bytes, ids included,
/// so that a process which knows nothing of an earlier one can send its last batch again.
[[nodiscard]] eventlog::append_batch numbered_batch(int writer, std::int64_t sequence, int appends);
[[nodiscard]] std::size_t events_of(eventlog::append_batch const& batch);

/// What a writer was told.
struct acknowledged_batch {
    int writer = 0;
    std::int64_t sequence = 0;
    int appends = 0;
    eventlog::position first_position = 0;
};

/// Holds a log against what its writers sent, as a reader sees it from the start. Every violation is a line
/// of the answer: none is what must be.
class log_check {
public:
    /// Reads to the end. `read_at_once` is the size of a page.
    explicit log_check(eventlog::event_log& log, std::size_t read_at_once = 1000);

    /// Every page of `events` in order, e.g. from a reader that follows the tail.
    explicit log_check(std::vector<eventlog::recorded_event> const& events);

    /// Gaps, disorder, times that go back, versions with holes, leaf hashes that do not fit, batches that are
    /// there twice or in part.
    [[nodiscard]] std::vector<std::string> violations() const;
    /// Acknowledged batches that are not where the writer was told they are.
    [[nodiscard]] std::vector<std::string> missing(std::vector<acknowledged_batch> const& acknowledged) const;

    [[nodiscard]] std::size_t events() const { return events_; }
    /// The last sequence of a writer that the log holds; 0 when it holds none.
    [[nodiscard]] std::int64_t last_sequence(int writer) const;

private:
    struct found_batch {
        eventlog::position first = 0;
        std::size_t events = 0;
    };

    void look_at(eventlog::recorded_event const& event);
    void complain(eventlog::recorded_event const& event, std::string const& what);

    std::size_t events_ = 0;
    eventlog::timestamp last_time_{};
    std::map<std::string, eventlog::version> versions_;
    std::map<std::pair<int, std::int64_t>, found_batch> batches_;
    std::map<std::pair<int, std::int64_t>, std::size_t> batch_sizes_;
    std::vector<std::string> violations_;
};

}  // namespace linkledger::test
