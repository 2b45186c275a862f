#pragma once
// The writer's side of the clicks' index: what was clicked lately, entered in a directory every thousand
// events or so (migrations/sqlite/000001_event_log.up.sql says why).

#include "eventlog/sql/sqlite_handle.h"
#include "eventlog/sqlite_click_directory.h"
#include "eventlog/sqlite_recent.h"

#include <vector>

namespace linkledger::eventlog {

/// Knows the clicks beyond `filed()`, the last position that the directories reach; whoever uses it tells it
/// of each, in order. Used within the writer's transaction; after a rollback it must `start_over`. Everything
/// throws sql::error.
class click_filing {
public:
    explicit click_filing(sqlite3* on);

    [[nodiscard]] position filed() const { return filed_; }
    /// Forgets everything; clicks beyond `filed` are told anew.
    void start_over(position filed);
    /// Someone else filed up to there.
    void others_filed(position filed);

    void add(filed_click const& click) { pending_.push_back(click); }

    /// The version of a stream's newest click; 0: it has none.
    [[nodiscard]] version newest(std::int64_t stream_number);

    /// Enters what is known in a directory that ends at `until`, the last position of the log.
    void file(position until);

private:
    struct filed_stream {
        version newest = 0;
        position directory = 0;
    };

    filed_stream find(std::int64_t stream_number);
    position move_on(std::span<filed_click const> clicks, std::int64_t stream_number, position until);

    sqlite3* on_;
    sql::sqlite::statement find_, add_stream_, move_stream_, add_directory_, add_milestone_;

    position filed_ = 0;
    std::vector<filed_click> pending_;
    recent<std::int64_t, filed_stream> streams_;
};

}  // namespace linkledger::eventlog
