#pragma once
// Fewer system calls per commit of the SQLite log: what a commit writes to the WAL goes there in one piece.

#include <memory>
#include <string>

namespace linkledger::eventlog {

/// SQLite writes each page to the WAL by two calls, one for the 24 bytes before it; the pages of a commit
/// follow one upon the other. A VFS over another (empty: the default) whose WAL files hold such writes back
/// until they are synced, or until anything else is asked of the file.
///
/// For connections with synchronous=FULL alone: they sync the WAL in every commit before they tell others of
/// it, so nobody looks for what is held back. Registered under `name` for as long as it lives; every
/// connection that uses it must be closed before.
class sqlite_wal_buffer {
public:
    explicit sqlite_wal_buffer(std::string const& over_vfs);
    ~sqlite_wal_buffer();
    sqlite_wal_buffer(sqlite_wal_buffer const&) = delete;
    sqlite_wal_buffer& operator=(sqlite_wal_buffer const&) = delete;

    [[nodiscard]] std::string const& name() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace linkledger::eventlog
