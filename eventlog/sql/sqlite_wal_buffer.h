#pragma once
// Fewer system calls per commit: what a commit writes to the WAL goes there in large pieces.

#include "eventlog/sql/sqlite_vfs_layer.h"

namespace linkledger::sql::sqlite {

/// SQLite writes each page to the WAL by two calls, one for the 24 bytes before it, and the pages of a commit
/// follow one upon the other. A VFS over another (empty: the default) whose WAL files hold such writes back
/// until the commit's last page comes, or until anything else is asked of the file. SQLite tells nobody of a
/// page before that, so nobody looks for what is held back; what then fails to be written fails the commit.
/// Every connection that uses it must be closed before it ends.
class wal_buffer {
public:
    explicit wal_buffer(std::string const& over_vfs);

    [[nodiscard]] std::string const& name() const { return layer_.name(); }

private:
    vfs_layer layer_;
};

}  // namespace linkledger::sql::sqlite
