#pragma once
// Builds a version of a projection beside the live one, proves it, and switches it in; and takes it back.

#include "eventlog/bulk_reader.h"
#include "eventlog/keyring.h"
#include "projections/builds.h"
#include "projections/event_source.h"
#include "projections/rebuild/meter.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace linkledger::projections {

struct rebuild_options {
    std::string name;
    std::optional<int> version{};  ///< None: the newest that this executable knows.
    int jobs = 2;                  ///< Threads that read and write.
    std::int64_t rate_max = 0;     ///< Events a second; 0: as fast as it goes.
    bool switches = true;          ///< False: it is left ready, and fed.
    bool accepts_differences =
        false;  ///< Switches though live and new differ, after a defect in the fold say.
    eventlog::position range_events = 0;  ///< 0: chosen by the log's length.
};

/// What this process has to rebuild with; what is passed by reference must outlive the call.
struct rebuild_surroundings {
    event_source& source;
    eventlog::keyring& keys;
    read_store& store;
    eventlog::bulk_reader_factory readers;
    std::span<std::unique_ptr<projection> const> projections;
};

/// What was asked for cannot be done as things are, such as a second rebuild at once; what() says why and
/// what to do.
class version_refused : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct rebuild_outcome {
    build_id made;
    bool switched = false;
    eventlog::position events = 0;                   ///< That it was built from.
    std::chrono::steady_clock::duration building{};  ///< How long that took, with catching up.
    std::vector<std::string> differences;            ///< Between live and new, at one position.
};

/// Blocks until it is done; `told` hears of its progress twice a second, from a thread of its own. Throws
/// version_refused, rebuild_interrupted when `stop` came first, forgotten_version, and sql::error for
/// defects; stores that are away are waited for. After a kill, the same call goes on where it was.
rebuild_outcome rebuild(rebuild_options const& options, rebuild_surroundings const& with,
                        std::function<void(rebuild_status const&)> const& told,
                        std::atomic<bool> const& stop);

/// Answers reads from another version, which has to be fed; the one that was live is kept and fed. No read
/// fails, and none sees an older position than before. Throws version_refused, sql::error.
void switch_version(read_store& store, std::string const& name, build_id to);

/// Removes the tables of a version that is not live, once nobody feeds it any more. Throws version_refused,
/// sql::error.
void drop_version(read_store& store, std::span<std::unique_ptr<projection> const> projections,
                  std::string const& name, build_id which);

}  // namespace linkledger::projections
