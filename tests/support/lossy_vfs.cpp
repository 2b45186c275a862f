#include "tests/support/lossy_vfs.h"

#include "tests/support/read_file.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <new>
#include <random>
#include <vector>

namespace linkledger::test {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t sector_bytes = 512;

/// A write, or (without bytes) a truncation to `offset`.
struct operation {
    std::size_t offset = 0;
    std::string bytes;
    bool truncates = false;
};

void apply(operation const& op, std::string& image) {
    if (op.truncates) {
        image.resize(std::min(image.size(), op.offset));
        return;
    }
    image.resize(std::max(image.size(), op.offset + op.bytes.size()));
    image.replace(op.offset, op.bytes.size(), op.bytes);
}

/// What a file holds on the disk, and what was asked of it since the last sync.
struct watched_file {
    std::string durable;
    std::vector<operation> unsynced;

    void sync() {
        for (auto const& op : unsynced) apply(op, durable);
        unsynced.clear();
    }

    /// Any unsynced operation may have happened; a write also by some of its sectors alone.
    void lose_some(std::mt19937_64& random) {
        double const kept = std::uniform_int_distribution{0, 4}(random) / 4.0;
        std::bernoulli_distribution keeps{kept}, tears{0.2}, coin{0.5};
        for (auto const& op : unsynced) {
            if (!keeps(random)) continue;
            if (op.truncates || !tears(random)) {
                apply(op, durable);
                continue;
            }
            for (std::size_t at = 0; at < op.bytes.size(); at += sector_bytes)
                if (coin(random)) apply({op.offset + at, op.bytes.substr(at, sector_bytes), false}, durable);
        }
        unsynced.clear();
    }
};

}  // namespace

struct lossy_vfs::state {
    std::string name;
    sqlite3_vfs vfs{};
    sqlite3_vfs* real = nullptr;

    std::mutex mutex;
    std::map<std::string, watched_file> files;
    std::mt19937_64 random;
    std::int64_t operations_left = -1;  ///< Negative: the power stays on.
    bool cut = false;
    bool lies = false;
    std::function<void()> wal_sync_hook;

    /// True when the power is off, or goes off now. Under the mutex.
    bool operation_fails() {
        if (cut) return true;
        if (operations_left < 0 || operations_left-- > 0) return false;
        cut = true;
        for (auto& [path, file] : files) file.lose_some(random);
        return true;
    }
};

namespace {

using state = lossy_vfs::state;

struct lossy_file : sqlite3_file {
    state* of;
    watched_file* watched;  ///< Null: neither database nor WAL.
    bool is_wal;

    [[nodiscard]] sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

lossy_file* self(sqlite3_file* file) {
    return static_cast<lossy_file*>(file);
}

bool is_off(state& of) {
    std::lock_guard const lock{of.mutex};
    return of.cut;
}

int close(sqlite3_file* file) {
    auto* const real = self(file)->real();
    return real->pMethods->xClose(real);
}

int read(sqlite3_file* file, void* into, int size, sqlite3_int64 offset) {
    if (is_off(*self(file)->of)) return SQLITE_IOERR_READ;
    auto* const real = self(file)->real();
    return real->pMethods->xRead(real, into, size, offset);
}

int write(sqlite3_file* file, void const* bytes, int size, sqlite3_int64 offset) {
    auto* const me = self(file);
    std::lock_guard const lock{me->of->mutex};
    if (me->watched != nullptr && !me->of->cut)
        me->watched->unsynced.push_back(
            {static_cast<std::size_t>(offset),
             std::string{static_cast<char const*>(bytes), static_cast<std::size_t>(size)}, false});
    if (me->of->operation_fails()) return SQLITE_IOERR_WRITE;
    return me->real()->pMethods->xWrite(me->real(), bytes, size, offset);
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
    auto* const me = self(file);
    std::lock_guard const lock{me->of->mutex};
    if (me->watched != nullptr && !me->of->cut)
        me->watched->unsynced.push_back({static_cast<std::size_t>(size), {}, true});
    if (me->of->operation_fails()) return SQLITE_IOERR_TRUNCATE;
    return me->real()->pMethods->xTruncate(me->real(), size);
}

/// The real file is not synced: only this process and its children look at it.
int sync(sqlite3_file* file, int) {
    auto* const me = self(file);
    if (me->is_wal && me->of->wal_sync_hook) me->of->wal_sync_hook();
    std::lock_guard const lock{me->of->mutex};
    if (me->of->operation_fails()) return SQLITE_IOERR_FSYNC;
    if (me->watched != nullptr && !me->of->lies) me->watched->sync();
    return SQLITE_OK;
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
    if (is_off(*self(file)->of)) return SQLITE_IOERR_FSTAT;
    auto* const real = self(file)->real();
    return real->pMethods->xFileSize(real, size);
}

/// Passes a call on to the real file.
template <auto Method, typename... Arguments>
int pass(sqlite3_file* file, Arguments... arguments) {
    auto* const real = self(file)->real();
    return (real->pMethods->*Method)(real, arguments...);
}

void barrier(sqlite3_file* file) {
    auto* const real = self(file)->real();
    real->pMethods->xShmBarrier(real);
}

/// Version 2: with shared memory for the WAL, without memory-mapped reads, which would pass by unseen.
sqlite3_io_methods make_methods() {
    sqlite3_io_methods made{};
    made.iVersion = 2;
    made.xClose = close;
    made.xRead = read;
    made.xWrite = write;
    made.xTruncate = truncate;
    made.xSync = sync;
    made.xFileSize = file_size;
    made.xLock = pass<&sqlite3_io_methods::xLock, int>;
    made.xUnlock = pass<&sqlite3_io_methods::xUnlock, int>;
    made.xCheckReservedLock = pass<&sqlite3_io_methods::xCheckReservedLock, int*>;
    made.xFileControl = pass<&sqlite3_io_methods::xFileControl, int, void*>;
    made.xSectorSize = pass<&sqlite3_io_methods::xSectorSize>;
    made.xDeviceCharacteristics = pass<&sqlite3_io_methods::xDeviceCharacteristics>;
    made.xShmMap = pass<&sqlite3_io_methods::xShmMap, int, int, int, void volatile**>;
    made.xShmLock = pass<&sqlite3_io_methods::xShmLock, int, int, int>;
    made.xShmBarrier = barrier;
    made.xShmUnmap = pass<&sqlite3_io_methods::xShmUnmap, int>;
    return made;
}

int open(sqlite3_vfs* vfs, char const* path, sqlite3_file* file, int flags, int* flags_out) {
    static sqlite3_io_methods const methods = make_methods();
    auto* const of = static_cast<state*>(vfs->pAppData);
    file->pMethods = nullptr;
    if (is_off(*of)) return SQLITE_CANTOPEN;
    auto* const me = new (file) lossy_file{};
    me->of = of;
    bool const watched = path != nullptr && (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) != 0;
    bool const is_new = watched && !fs::exists(path);
    int const code = of->real->xOpen(of->real, path, me->real(), flags, flags_out);
    if (code != SQLITE_OK) return code;
    me->pMethods = &methods;
    if (!watched) return code;
    std::lock_guard const lock{of->mutex};
    auto const [entry, first] = of->files.try_emplace(path);
    if (first && !is_new) entry->second.durable = read_file(path);
    me->watched = &entry->second;
    me->is_wal = (flags & SQLITE_OPEN_WAL) != 0;
    return code;
}

int remove(sqlite3_vfs* vfs, char const* path, int sync_folder) {
    auto* const of = static_cast<state*>(vfs->pAppData);
    std::lock_guard const lock{of->mutex};
    if (of->operation_fails()) return SQLITE_IOERR_DELETE;
    // A file of this name that comes later starts empty; open handles of this one keep its entry.
    if (auto const found = of->files.find(path); found != of->files.end()) found->second = {};
    return of->real->xDelete(of->real, path, sync_folder);
}

}  // namespace

lossy_vfs::lossy_vfs(std::string name) : state_(std::make_unique<state>()) {
    state_->name = std::move(name);
    state_->real = sqlite3_vfs_find(nullptr);
    state_->vfs = *state_->real;
    state_->vfs.pNext = nullptr;
    state_->vfs.zName = state_->name.c_str();
    state_->vfs.szOsFile = static_cast<int>(sizeof(lossy_file)) + state_->real->szOsFile;
    state_->vfs.pAppData = state_.get();
    state_->vfs.xOpen = open;
    state_->vfs.xDelete = remove;
    sqlite3_vfs_register(&state_->vfs, 0);
}

lossy_vfs::~lossy_vfs() {
    sqlite3_vfs_unregister(&state_->vfs);
}

std::string const& lossy_vfs::name() const {
    return state_->name;
}

void lossy_vfs::cut_power_after(std::int64_t operations, std::uint64_t seed) {
    std::lock_guard const lock{state_->mutex};
    state_->operations_left = operations;
    state_->random.seed(seed);
}

bool lossy_vfs::power_is_cut() const {
    return is_off(*state_);
}

void lossy_vfs::restore_power() {
    std::lock_guard const lock{state_->mutex};
    for (auto const& [path, file] : state_->files) {
        std::ofstream{path, std::ios::binary | std::ios::trunc} << file.durable;
        fs::remove(path + "-shm");  // Memory.
    }
    state_->files.clear();
    state_->operations_left = -1;
    state_->cut = false;
}

void lossy_vfs::ignore_syncs() {
    std::lock_guard const lock{state_->mutex};
    state_->lies = true;
}

void lossy_vfs::before_wal_sync(std::function<void()> hook) {
    state_->wal_sync_hook = std::move(hook);
}

}  // namespace linkledger::test
