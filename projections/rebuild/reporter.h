#pragma once
// Tells how far a rebuild is, twice a second, for as long as it lives.

#include "projections/projection.h"
#include "projections/read_store.h"
#include "projections/rebuild/meter.h"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace linkledger::projections {

/// Writes the meter's row and calls `told` with the same; once more at its end. What goes wrong with that
/// does not concern the rebuild.
class reporter {
public:
    reporter(rebuild_meter& meter, read_store& store, projection const& of, build_id which,
             std::function<void(rebuild_status const&)> told);
    ~reporter();
    reporter(reporter const&) = delete;
    reporter& operator=(reporter const&) = delete;

private:
    void run();
    void report(bool measures_disk);

    rebuild_meter& meter_;
    read_store& store_;
    projection const& of_;
    build_id which_;
    std::function<void(rebuild_status const&)> told_;
    std::unique_ptr<sql::connection> control_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool over_ = false;
    std::thread thread_;
};

}  // namespace linkledger::projections
