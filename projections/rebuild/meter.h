#pragma once
// How far a rebuild is, told once to the database and once to whoever runs it: integer positions, rate, time
// left.

#include "eventlog/sql/connection.h"
#include "projections/build_id.h"

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace linkledger::projections {

enum class rebuild_phase {
    building,     ///< Reads the log and fills the tables.
    catching_up,  ///< Applies what was recorded meanwhile.
    comparing,    ///< With the live version, at one position.
    switching,
    done,    ///< Filled and fed; switched in unless asked not to.
    failed,  ///< `error` says why. Started again, it goes on.
};
BOOST_DESCRIBE_ENUM(rebuild_phase, building, catching_up, comparing, switching, done, failed)

/// An event counts when it is done with: where it is first read and sorted and its row written later, partly
/// then and partly then, so that rate and time left hold for the whole.
struct rebuild_status {
    std::string name;
    int version = 1;
    int build = 1;
    rebuild_phase phase = rebuild_phase::building;
    std::int64_t position = 0;  ///< Events done, of `target`.
    std::int64_t target = 0;
    std::int64_t rate = 0;                 ///< Events a second, since it was started or went on.
    std::optional<std::int64_t> eta_ms{};  ///< None: not known yet.
    std::int64_t disk_bytes = 0;           ///< Of the new tables, with what is kept until the end.
    std::int64_t stalled_ms = 0;           ///< Since when nothing moves; 0: it does.
    bool running = true;                   ///< False: nobody works on it; started again, it goes on.
    std::optional<std::string> error{};    ///< What it waits for, or why it failed.
    std::vector<std::string> differences{};
};
BOOST_DESCRIBE_STRUCT(rebuild_status, (),
                      (name, version, build, phase, position, target, rate, eta_ms, disk_bytes, stalled_ms,
                       running, error, differences))

/// From `projection_rebuilds`, as any process sees it. Throws sql::error.
[[nodiscard]] std::vector<rebuild_status> load_rebuilds(sql::connection& control);

/// Counts for the threads of a rebuild. Safe to call from any thread.
class rebuild_meter {
public:
    rebuild_meter(std::string name, build_id which);

    void enter(rebuild_phase phase, std::int64_t done, std::int64_t target);
    void advance(std::int64_t events);
    void set_done(std::int64_t events);
    void set_disk_bytes(std::int64_t bytes);
    /// Why it waits; cleared by the next progress.
    void note_trouble(std::string const& what);
    void fail(std::string const& what);
    void set_differences(std::vector<std::string> differences);

    [[nodiscard]] rebuild_status now() const;
    /// Writes the row. Throws sql::error.
    void save(sql::connection& control) const;

private:
    using clock = std::chrono::steady_clock;

    mutable std::mutex mutex_;
    rebuild_status status_;
    std::int64_t started_with_ = 0;
    clock::time_point phase_started_ = clock::now();
    clock::time_point progressed_ = clock::now();
    std::int64_t started_us_ = 0;
};

}  // namespace linkledger::projections
