#pragma once
// The readers' side of the clicks' index: directories up to a position, the log itself beyond it.

#include "eventlog/sql/sqlite_handle.h"
#include "eventlog/sqlite_click_directory.h"

#include <vector>

namespace linkledger::eventlog {

/// Where an event of a stream is.
struct event_place {
    eventlog::version version = 0;
    eventlog::position position = 0;
};

/// Positions in order, complete up to `searched_to`.
struct found_positions {
    std::vector<position> positions;
    position searched_to = 0;
};

/// To be asked within one snapshot of the log, by one thread at a time. Everything throws sql::error.
class click_lookup {
public:
    explicit click_lookup(sqlite3* on);

    /// The version of a stream's newest click; 0: it has none.
    [[nodiscard]] version newest(std::int64_t stream_number);
    /// The clicks of a stream with `after < version <= until`, oldest first.
    [[nodiscard]] std::vector<event_place> of_stream(std::int64_t stream_number, version after,
                                                     version until);
    /// A version that the stream had at `at` or before, not much older than its newest one then.
    [[nodiscard]] version version_not_after(std::int64_t stream_number, position at);
    /// The clicks of a workspace with `after < position <= until`, `limit` at most. A search that takes long
    /// ends early, having come further than `after`.
    [[nodiscard]] found_positions of_workspace(uuid const& workspace, position after, position until,
                                               std::size_t limit);

private:
    struct stream_end {
        version newest = 0;
        position directory = 0;
    };

    position filed();
    stream_end last_filed(std::int64_t stream_number);
    std::vector<event_place> filed_of_stream(std::int64_t stream_number, version after, version until,
                                             position from);

    sql::sqlite::statement filed_, last_filed_, milestone_at_version_, milestone_at_position_;
    sql::sqlite::statement streams_, workspaces_;
    sql::sqlite::statement newest_unfiled_, unfiled_of_stream_, unfiled_of_workspace_;
};

}  // namespace linkledger::eventlog
