#pragma once
// All read models as they were at a position, as plain tables in one SQLite file.

#include "eventlog/bulk_reader.h"
#include "eventlog/event_log.h"
#include "eventlog/keyring.h"

#include <functional>
#include <string>

namespace linkledger::projections {

struct replay_options {
    eventlog::position until = 0;  ///< Of the log; not beyond its head.
    std::string into;              ///< Must not exist.
    std::string asked;             ///< What was asked for, a position or a time, for the record.
    std::string program;           ///< Version of linkledger, for the record.
    std::string checkpoint;        ///< The newest of the signed log, for the record; empty: none.
    std::function<void(eventlog::position done, eventlog::position already)> progress{};
    eventlog::bulk_reader_factory readers{};  ///< None: through `log`.
    int jobs = 2;                             ///< Threads.
};
struct replay_outcome {
    std::int64_t rows = 0;
    std::int64_t parked = 0;  ///< Events that no read model could apply; they stand in parked_events.
};

/// Fills every read model from the log up to `until`, as a rebuild does (rebuild/bulk_build.h), into files of
/// a folder beside `into` (`<into>.unfinished`), then makes one file of them. Killed at any moment and
/// started again with the same file and position it goes on where it was, unless the machine was started
/// anew, too: unfinished work is not synced. A folder of another log or position is a failure that says so.
/// The result appears under its name when it is complete and on the disk.
///
/// Tables have their names (`links_v1`) and views without the version (`links`); `replay` has a row that says
/// which log, up to where, when and by what.
eventlog::result<replay_outcome> replay(eventlog::event_log& log, eventlog::keyring& keys,
                                        replay_options const& options);

/// The last position that was recorded at or before `at`.
[[nodiscard]] eventlog::result<eventlog::position> position_at(eventlog::event_log& log,
                                                               eventlog::timestamp at);

}  // namespace linkledger::projections
