#pragma once
// Fills the empty tables of a build from the log up to a position, in ranges and with several threads, and
// goes on after a kill where it was.

#include "eventlog/bulk_reader.h"
#include "eventlog/keyring.h"
#include "projections/projection.h"
#include "projections/read_store.h"
#include "projections/rebuild/meter.h"

#include <atomic>
#include <cstdint>
#include <stdexcept>

namespace linkledger::projections {

struct bulk_options {
    int jobs = 2;
    std::int64_t rate_max = 0;            ///< Events a second; 0: as fast as it goes.
    eventlog::position range_events = 0;  ///< 0: chosen by the log's length.
};

/// An event does not decode or cannot be applied: it has to be parked, which is done in order alone.
class must_fold_in_order : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Asked to end. What is done stays done.
class rebuild_interrupted : public std::runtime_error {
public:
    rebuild_interrupted() : std::runtime_error("interrupted; started again, it goes on where it was") {}
};

/// What the threads share; it must outlive the call.
struct bulk_surroundings {
    eventlog::keyring& keys;
    read_store& store;
    eventlog::bulk_reader_factory const& readers;
    rebuild_meter& meter;
    std::atomic<bool> const& stop;
};

/// Whether the projection can be built so.
[[nodiscard]] bool is_bulk_built(projection const& of, sql::dialect in);

/// Forgets what an unfinished build keeps, and makes the indexes that it took away where its tables stay:
/// before they are given up.
void abandon_bulk(projection const& of, build_id which, read_store& store);

/// Until the tables hold what the log has up to `head`, and the checkpoint says so. A build that was begun
/// before keeps the head that it was begun with, unless the log has another history now. Waits for stores
/// that are away. Throws must_fold_in_order (the tables are empty then), rebuild_interrupted, and sql::error
/// for defects.
void build_in_bulk(projection& of, build_id which, eventlog::log_head const& head,
                   bulk_options const& options, bulk_surroundings const& with);

}  // namespace linkledger::projections
