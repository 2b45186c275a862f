#pragma once
// A fold whose state is small beside the log: it is kept in memory while the log is read once, in order, and
// written as a whole.

#include "eventlog/bulk_reader.h"
#include "eventlog/sql/connection.h"

namespace linkledger::projections {

/// Used by one thread.
class memory_fold {
public:
    virtual ~memory_fold() = default;
    [[nodiscard]] virtual eventlog::bulk_fields fields() const = 0;
    /// Events of the projection's types, in order of position. `corrupted`: it does not decode; then the
    /// projection is filled in batches, with the event parked.
    virtual eventlog::result<void> add(eventlog::recorded_event const& event) = 0;
    /// Into empty tables. Throws sql::error.
    virtual void write(sql::connection& to) const = 0;
};

}  // namespace linkledger::projections
