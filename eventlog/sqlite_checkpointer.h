#pragma once
// Copies the WAL of the SQLite log back into its file, beside the commits rather than within one of them.

#include "eventlog/sql/sqlite_handle.h"
#include "eventlog/sql/sqlite_paced_vfs.h"
#include "eventlog/sqlite_log.h"

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>

namespace linkledger::eventlog {

/// A thread with a connection of its own. SQLite's own checkpoint runs within the commit that crosses a
/// threshold, which then takes as long as writing some thousand pages and two fsyncs do.
///
/// A passive checkpoint stops nobody, but it never empties a WAL that others keep writing to, so the WAL
/// would grow for as long as the load lasts. Therefore, once passive passes have copied nearly all, the rest
/// is copied while writers wait (a few pages and an fsync), and the next commit starts the WAL from its
/// beginning.
class sqlite_checkpointer {
public:
    /// `without_writers` runs what it is given while this process commits nothing.
    sqlite_checkpointer(sqlite_log_options const& options,
                        std::function<void(std::function<void()> const&)> without_writers);
    /// Finishes the pass at hand.
    ~sqlite_checkpointer();
    sqlite_checkpointer(sqlite_checkpointer const&) = delete;
    sqlite_checkpointer& operator=(sqlite_checkpointer const&) = delete;

    /// Told after each commit how long the WAL is. Safe to call from any thread; does not block.
    void wal_has(std::size_t pages);
    /// Empties the WAL soon, so that what was overwritten in the file is not left in it. Does not block.
    void empty_wal();

private:
    void run();
    /// True when the WAL was copied whole and the next commit starts it from its beginning.
    /// `empty`: the WAL shall be emptied; `again`: that was refused before.
    bool checkpoint(bool empty, bool again);

    std::size_t threshold_pages_;
    std::function<void(std::function<void()> const&)> without_writers_;
    sqlite_log_options options_;
    sql::sqlite::paced_vfs paced_;
    sql::sqlite::handle handle_;  ///< The thread's, opened when first needed.

    std::mutex mutex_;
    std::condition_variable woken_;
    bool due_ = false, empty_due_ = false, stopping_ = false;
    std::size_t due_at_pages_;   ///< Beyond the threshold after a pass that could not finish.
    std::size_t wal_pages_ = 0;  ///< As last told.
    std::thread thread_;
};

}  // namespace linkledger::eventlog
