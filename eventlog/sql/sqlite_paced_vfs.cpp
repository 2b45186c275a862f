#include "eventlog/sql/sqlite_paced_vfs.h"

namespace linkledger::sql::sqlite {

namespace {

constexpr std::int64_t piece_bytes = 1 << 20;

struct paced_file : layered_file<paced_file> {
    std::int64_t unsynced = 0;
};

int write_paced(sqlite3_file* file, void const* bytes, int size, sqlite3_int64 offset) {
    auto* const me = paced_file::of(file);
    int const code = me->io().xWrite(me->below(), bytes, size, offset);
    me->unsynced += size;
    if (code != SQLITE_OK || me->unsynced < piece_bytes) return code;
    me->unsynced = 0;
    return me->io().xSync(me->below(), SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
}

int sync(sqlite3_file* file, int flags) {
    paced_file::of(file)->unsynced = 0;
    return paced_file::pass<&sqlite3_io_methods::xSync>(file, flags);
}

sqlite3_io_methods paced_methods() {
    auto made = paced_file::passing_methods();
    made.xWrite = write_paced;
    made.xSync = sync;
    return made;
}

int open_paced(sqlite3_vfs* layer, char const* path, sqlite3_file* file, int flags, int* flags_out) {
    static sqlite3_io_methods const methods = paced_methods();
    if ((flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) != 0)
        return paced_file::open(layer, path, file, flags, flags_out, methods);
    auto* const below = vfs_layer::below(layer);
    return below->xOpen(below, path, file, flags, flags_out);
}

}  // namespace

paced_vfs::paced_vfs(std::string const& over) : layer_(over, "paced", sizeof(paced_file), open_paced) {}

}  // namespace linkledger::sql::sqlite
