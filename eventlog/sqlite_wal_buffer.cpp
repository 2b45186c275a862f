#include "eventlog/sqlite_wal_buffer.h"

#include "eventlog/sql/connection.h"

#include <sqlite3.h>

#include <atomic>
#include <new>

namespace linkledger::eventlog {

struct sqlite_wal_buffer::state {
    std::string name;
    sqlite3_vfs vfs{};
    sqlite3_vfs* under = nullptr;
};

namespace {

/// SQLite's own VFS takes less than 128 KiB at once: of more it writes the remainder, and then nothing.
constexpr std::size_t held_back_max = 120 * 1024;

/// A WAL. Its file of the VFS below lies behind it, in the memory that SQLite gives.
struct wal_file : sqlite3_file {
    std::string held_back;
    sqlite3_int64 offset = 0;  ///< Where what is held back begins.

    [[nodiscard]] sqlite3_file* under() { return reinterpret_cast<sqlite3_file*>(this + 1); }
    [[nodiscard]] sqlite3_io_methods const& io() { return *under()->pMethods; }

    int flush() {
        if (held_back.empty()) return SQLITE_OK;
        int const code = io().xWrite(under(), held_back.data(), static_cast<int>(held_back.size()), offset);
        held_back.clear();
        return code;
    }

    int write(void const* bytes, std::size_t size, sqlite3_int64 at) {
        bool const follows = at == offset + static_cast<sqlite3_int64>(held_back.size());
        if (!held_back.empty() && (!follows || held_back.size() + size > held_back_max)) {
            if (int const code = flush(); code != SQLITE_OK) return code;
        }
        if (held_back.empty()) offset = at;
        held_back.append(static_cast<char const*>(bytes), size);
        return SQLITE_OK;
    }
};

wal_file* self(sqlite3_file* file) {
    return static_cast<wal_file*>(file);
}

int close(sqlite3_file* file) {
    auto* const me = self(file);
    int const flushed = me->flush();
    int const closed = me->io().xClose(me->under());
    me->~wal_file();
    return flushed == SQLITE_OK ? closed : flushed;
}

int write(sqlite3_file* file, void const* bytes, int size, sqlite3_int64 offset) {
    try {
        return self(file)->write(bytes, static_cast<std::size_t>(size), offset);
    } catch (std::bad_alloc const&) {
        return SQLITE_IOERR_NOMEM;
    }
}

/// Passes a call on, behind the writes that were before it.
template <auto Method, typename... Arguments>
int pass(sqlite3_file* file, Arguments... arguments) {
    auto* const me = self(file);
    if (int const code = me->flush(); code != SQLITE_OK) return code;
    return (me->io().*Method)(me->under(), arguments...);
}

/// Version 1: shared memory and mapped reads are the database file's, which is not held back.
sqlite3_io_methods make_methods() {
    sqlite3_io_methods made{};
    made.iVersion = 1;
    made.xClose = close;
    made.xWrite = write;
    made.xRead = pass<&sqlite3_io_methods::xRead, void*, int, sqlite3_int64>;
    made.xTruncate = pass<&sqlite3_io_methods::xTruncate, sqlite3_int64>;
    made.xSync = pass<&sqlite3_io_methods::xSync, int>;
    made.xFileSize = pass<&sqlite3_io_methods::xFileSize, sqlite3_int64*>;
    made.xLock = pass<&sqlite3_io_methods::xLock, int>;
    made.xUnlock = pass<&sqlite3_io_methods::xUnlock, int>;
    made.xCheckReservedLock = pass<&sqlite3_io_methods::xCheckReservedLock, int*>;
    made.xFileControl = pass<&sqlite3_io_methods::xFileControl, int, void*>;
    made.xSectorSize = pass<&sqlite3_io_methods::xSectorSize>;
    made.xDeviceCharacteristics = pass<&sqlite3_io_methods::xDeviceCharacteristics>;
    return made;
}

int open(sqlite3_vfs* vfs, char const* path, sqlite3_file* file, int flags, int* flags_out) {
    static sqlite3_io_methods const methods = make_methods();
    auto* const under = static_cast<sqlite3_vfs*>(vfs->pAppData);
    if ((flags & SQLITE_OPEN_WAL) == 0) return under->xOpen(under, path, file, flags, flags_out);
    auto* const me = new (file) wal_file{};
    int const code = under->xOpen(under, path, me->under(), flags, flags_out);
    if (code == SQLITE_OK) {
        me->pMethods = &methods;
    } else {
        me->~wal_file();
        file->pMethods = nullptr;  // Nothing to close.
    }
    return code;
}

/// Passes a call of the VFS on, whose own data the one below expects.
template <auto Method, typename... Arguments>
auto pass_on(sqlite3_vfs* vfs, Arguments... arguments) {
    auto* const under = static_cast<sqlite3_vfs*>(vfs->pAppData);
    return (under->*Method)(under, arguments...);
}

}  // namespace

sqlite_wal_buffer::sqlite_wal_buffer(std::string const& over_vfs) : state_(std::make_unique<state>()) {
    static std::atomic<int> number{0};
    auto& of = *state_;
    of.under = sqlite3_vfs_find(over_vfs.empty() ? nullptr : over_vfs.c_str());
    if (of.under == nullptr)
        throw sql::error{sql::error::kind::unavailable, "SQLite has no VFS named " + over_vfs};
    of.name = "linkledger-wal-buffer-" + std::to_string(++number);
    of.vfs = *of.under;
    of.vfs.pNext = nullptr;
    of.vfs.zName = of.name.c_str();
    of.vfs.szOsFile = static_cast<int>(sizeof(wal_file)) + of.under->szOsFile;
    of.vfs.pAppData = of.under;
    of.vfs.iVersion = 2;
    of.vfs.xOpen = open;
    of.vfs.xDelete = pass_on<&sqlite3_vfs::xDelete, char const*, int>;
    of.vfs.xAccess = pass_on<&sqlite3_vfs::xAccess, char const*, int, int*>;
    of.vfs.xFullPathname = pass_on<&sqlite3_vfs::xFullPathname, char const*, int, char*>;
    of.vfs.xRandomness = pass_on<&sqlite3_vfs::xRandomness, int, char*>;
    of.vfs.xSleep = pass_on<&sqlite3_vfs::xSleep, int>;
    of.vfs.xCurrentTime = pass_on<&sqlite3_vfs::xCurrentTime, double*>;
    of.vfs.xGetLastError = pass_on<&sqlite3_vfs::xGetLastError, int, char*>;
    of.vfs.xCurrentTimeInt64 = pass_on<&sqlite3_vfs::xCurrentTimeInt64, sqlite3_int64*>;
    if (sqlite3_vfs_register(&of.vfs, 0) != SQLITE_OK)
        throw sql::error{sql::error::kind::unavailable, "SQLite takes no VFS"};
}

sqlite_wal_buffer::~sqlite_wal_buffer() {
    sqlite3_vfs_unregister(&state_->vfs);
}

std::string const& sqlite_wal_buffer::name() const {
    return state_->name;
}

}  // namespace linkledger::eventlog
