#pragma once
// A VFS of SQLite over another one: what layers that change how files are written have in common.

#include <sqlite3.h>

#include <cstddef>
#include <memory>
#include <string>

namespace linkledger::sql::sqlite {

/// Registered under `name` for as long as it lives; every connection that uses it must be closed before. All
/// but `xOpen` passes on to the VFS below.
class vfs_layer {
public:
    using open_function = int (*)(sqlite3_vfs* layer, char const* path, sqlite3_file* file, int flags,
                                  int* flags_out);

    /// `over`: the VFS below; empty: the default. `file_bytes`: what the layer's files take before those of
    /// the VFS below. Throws sql::error.
    vfs_layer(std::string const& over, std::string const& what, std::size_t file_bytes, open_function open);
    ~vfs_layer();
    vfs_layer(vfs_layer const&) = delete;
    vfs_layer& operator=(vfs_layer const&) = delete;

    [[nodiscard]] std::string const& name() const { return name_; }
    /// The VFS below a layer.
    [[nodiscard]] static sqlite3_vfs* below(sqlite3_vfs* layer) {
        return static_cast<sqlite3_vfs*>(layer->pAppData);
    }

private:
    std::string name_;
    std::unique_ptr<sqlite3_vfs> vfs_;
};

/// A layer's file: `File` derives from it and adds what it knows. The file of the VFS below lies behind it,
/// in the memory that SQLite gives.
template <typename File>
struct layered_file : sqlite3_file {
    [[nodiscard]] sqlite3_file* below() {
        return reinterpret_cast<sqlite3_file*>(static_cast<File*>(this) + 1);
    }
    [[nodiscard]] sqlite3_io_methods const& io() { return *below()->pMethods; }

    [[nodiscard]] static File* of(sqlite3_file* file) { return static_cast<File*>(file); }

    /// Makes the layer's file where SQLite wants one, over an open one of the VFS below.
    static int open(sqlite3_vfs* layer, char const* path, sqlite3_file* file, int flags, int* flags_out,
                    sqlite3_io_methods const& methods) {
        auto* const made = new (file) File{};
        auto* const vfs = vfs_layer::below(layer);
        int const code = vfs->xOpen(vfs, path, made->below(), flags, flags_out);
        made->pMethods = code == SQLITE_OK ? &methods : nullptr;
        if (code != SQLITE_OK) made->~File();
        return code;
    }

    static int close(sqlite3_file* file) {
        int const code = of(file)->io().xClose(of(file)->below());
        of(file)->~File();
        return code;
    }

    template <auto Method, typename... Arguments>
    static int pass(sqlite3_file* file, Arguments... arguments) {
        return (of(file)->io().*Method)(of(file)->below(), arguments...);
    }
    static void barrier(sqlite3_file* file) { of(file)->io().xShmBarrier(of(file)->below()); }

    /// All passed on, with shared memory and without memory-mapped reads (which are off unless asked for).
    [[nodiscard]] static sqlite3_io_methods passing_methods() {
        sqlite3_io_methods made{};
        made.iVersion = 2;
        made.xClose = close;
        made.xRead = pass<&sqlite3_io_methods::xRead, void*, int, sqlite3_int64>;
        made.xWrite = pass<&sqlite3_io_methods::xWrite, void const*, int, sqlite3_int64>;
        made.xTruncate = pass<&sqlite3_io_methods::xTruncate, sqlite3_int64>;
        made.xSync = pass<&sqlite3_io_methods::xSync, int>;
        made.xFileSize = pass<&sqlite3_io_methods::xFileSize, sqlite3_int64*>;
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
};

}  // namespace linkledger::sql::sqlite
