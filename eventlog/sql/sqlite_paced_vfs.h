#pragma once
// Syncs large amounts of writing in small pieces, so that nobody else's sync waits behind all of it.

#include "eventlog/sql/sqlite_vfs_layer.h"

namespace linkledger::sql::sqlite {

/// A read model's file is synced once for tens of megabytes. The disk then writes all of them at once, and a
/// commit of the log, which syncs another file on the same disk, waits for that: 100 ms were measured. A VFS
/// over another (empty: the default) that syncs databases and WALs whenever a megabyte was written to them.
/// It adds syncs and takes none away. Every connection that uses it must be closed before it ends.
class paced_vfs {
public:
    explicit paced_vfs(std::string const& over);

    [[nodiscard]] std::string const& name() const { return layer_.name(); }

private:
    vfs_layer layer_;
};

}  // namespace linkledger::sql::sqlite
