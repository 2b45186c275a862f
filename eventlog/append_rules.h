#pragma once
// What a batch does to a log, decided without touching it: every backend that decides outside its database
// (memory, SQLite) asks these rules, so they cannot differ.
//
// Use, under the log's lock and in its transaction:
//   1. Read the head and the producer's row. `relation_of` says whether the batch is the next one, was
//   carried
//      out already (answer with the outcome stored then, `decode_outcome`), or is a bug.
//   2. plan_batch(batch, head, now, view): outcomes, and the rows to write.
//   3. Write the plan: events at their positions, streams, claims, responses, the producer's row with
//      `encode_outcome`, the head. Commit.

#include "eventlog/event_log.h"

#include <map>
#include <tuple>
#include <vector>

namespace linkledger::eventlog {

/// What the rules ask of the log as it was before the batch; effects of the batch itself they remember. May
/// throw; the exception passes through.
class append_view {
public:
    virtual ~append_view() = default;
    /// 0 when there is no such stream.
    virtual version stream_version(std::string const& stream) = 0;
    virtual std::optional<std::string> claim_owner(std::string const& scope, std::string const& key) = 0;
    virtual std::optional<stored_response> find_response(digest const& id) = 0;
};

/// A batch's place among those of its producer. `last`: the sequence last carried out, 0 when there was none.
enum class batch_relation { next, resent, wrong };
[[nodiscard]] constexpr batch_relation relation_of(std::int64_t sequence, std::int64_t last) {
    if (sequence == last + 1) return batch_relation::next;
    return sequence == last && last > 0 ? batch_relation::resent : batch_relation::wrong;
}

/// An event with what the log assigns; points into the batch.
struct planned_event {
    eventlog::position position = 0;
    eventlog::version version = 0;
    std::string const* stream = nullptr;
    event_body const* body = nullptr;
};

/// A response to keep, with the positions of its append; points into the batch.
struct planned_response {
    idempotency_entry const* entry = nullptr;
    position last_position = 0;
    version primary_version = 0;
};

struct claim_key {
    std::string scope;
    std::string key;

    auto operator<=>(claim_key const&) const = default;
};

/// The rows to write. Claims hold the state after the whole batch.
struct batch_plan {
    batch_outcome outcome;
    timestamp recorded_at{};  ///< Of all its events: now, or the head's time when the clock went back.
    position last = 0;        ///< The head afterwards.
    std::vector<planned_event> events;
    std::map<claim_key, std::optional<std::string>> claims;  ///< New owner; none: released.
    std::vector<planned_response> responses;
};

/// The batch must stay as it is while the plan is used.
[[nodiscard]] batch_plan plan_batch(append_batch const& batch, log_head const& head, timestamp now,
                                    append_view& view);

/// The event as stored; `body_hash` is computed here, so leaf hashes of a plan are best made one by one.
[[nodiscard]] recorded_event to_recorded(planned_event const& event, timestamp recorded_at);

/// That a batch was stored, where its outcome is no longer kept: `appended` at position 0 for each append.
[[nodiscard]] batch_outcome forgotten_outcome(append_batch const& batch);

/// A batch's outcome as bytes, for the producer's row; what a resent batch is answered with (`resent` is then
/// true).
[[nodiscard]] std::string encode_outcome(batch_outcome const& outcome);
/// None: not what encode_outcome wrote.
[[nodiscard]] std::optional<batch_outcome> decode_outcome(std::string_view bytes);

}  // namespace linkledger::eventlog
