#pragma once
// A projection: a fold of the log into tables of its own. What a new one implements; projections/registry.cpp
// lists them, a line each.

#include "domain/event.h"
#include "eventlog/event_log.h"
#include "eventlog/metadata.h"
#include "eventlog/sql/connection.h"

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace linkledger::projections {

/// A stored event with its parts decoded. The personal part is empty when its key was destroyed.
struct decoded_event {
    eventlog::recorded_event stored;
    domain::event event;
    eventlog::metadata metadata;
    eventlog::request_context context;
};

/// Events in order of position, all of types that the projection reads. Pointers, because projections share
/// the decoded events of a page and each takes its own of them.
using event_batch = std::span<decoded_event const* const>;

class memory_fold;
class sorted_fold;

/// Effects and checkpoint commit in one transaction, so every event is applied exactly once. No side effects
/// beyond the transaction; the same events always give the same rows (ids come from event ids, times from the
/// events), so that a rebuild equals the live model.
class projection {
public:
    virtual ~projection() = default;
    [[nodiscard]] virtual std::string_view name() const = 0;
    /// Names the tables: `links` version 1 fills `links_v1`. Raised with every change of schema or meaning.
    /// The object is used by several threads, for each build of the version.
    [[nodiscard]] virtual int version() const = 0;
    /// Event types it reads; others are skipped over.
    [[nodiscard]] virtual std::span<std::string_view const> event_types() const = 0;
    /// Whether it reads `metadata` and `context`; they are left empty otherwise, which saves opening them.
    [[nodiscard]] virtual bool reads_cause() const { return false; }
    /// How long events are gathered at the head of the log before a batch; none: as runner_options says.
    [[nodiscard]] virtual std::optional<std::chrono::milliseconds> linger() const { return std::nullopt; }
    /// Its tables, for wiping before a rebuild.
    [[nodiscard]] virtual std::span<std::string_view const> tables() const = 0;
    /// Applies a batch within the caller's transaction; how events are cut into batches must not show in the
    /// rows. Throws sql::error. Keeps nothing between calls: a batch may be rolled back.
    virtual void apply(event_batch batch, sql::connection& transaction) = 0;

    // How a rebuild may be faster than applying the log from its start in order; the rows are the same.

    /// Each event makes rows of its own, whatever came before it: ranges of the log are applied in any order,
    /// several at once, with the indexes made afterwards.
    [[nodiscard]] virtual bool has_row_per_event() const { return false; }
    /// The same as apply for such ranges: an event leaves the rows of others alone. Those that erase find
    /// nothing to erase then, because the keys were destroyed before the rebuild read the log.
    virtual void apply_in_any_order(event_batch batch, sql::connection& transaction) {
        apply(batch, transaction);
    }
    /// What events contribute is sorted by what it concerns, and each row written once
    /// (projections/rebuild/sorted_fold.h); null: not offered for this database. Preferred to ranges.
    [[nodiscard]] virtual std::unique_ptr<sorted_fold> create_sorted_fold(sql::dialect in) const;
    /// Rows are few beside the events, and are kept in memory until the last (projections/memory_fold.h);
    /// null: not offered. Replays do so.
    [[nodiscard]] virtual std::unique_ptr<memory_fold> create_memory_fold() const;
};

}  // namespace linkledger::projections
