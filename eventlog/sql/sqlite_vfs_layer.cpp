#include "eventlog/sql/sqlite_vfs_layer.h"

#include "eventlog/sql/connection.h"

#include <atomic>

namespace linkledger::sql::sqlite {

namespace {

/// With the VFS that the one below expects, which is itself.
template <auto Method, typename... Arguments>
auto pass_on(sqlite3_vfs* layer, Arguments... arguments) {
    auto* const below = vfs_layer::below(layer);
    return (below->*Method)(below, arguments...);
}

}  // namespace

vfs_layer::vfs_layer(std::string const& over, std::string const& what, std::size_t file_bytes,
                     open_function open) {
    static std::atomic<int> number{0};
    auto* const below = sqlite3_vfs_find(over.empty() ? nullptr : over.c_str());
    if (below == nullptr) throw error{error::kind::unavailable, "SQLite has no VFS named " + over};
    name_ = "linkledger-" + what + '-' + std::to_string(++number);
    vfs_ = std::make_unique<sqlite3_vfs>(*below);
    auto& made = *vfs_;
    made.pNext = nullptr;
    made.zName = name_.c_str();
    made.szOsFile = static_cast<int>(file_bytes) + below->szOsFile;
    made.pAppData = below;
    made.iVersion = 2;
    made.xOpen = open;
    made.xDelete = pass_on<&sqlite3_vfs::xDelete, char const*, int>;
    made.xAccess = pass_on<&sqlite3_vfs::xAccess, char const*, int, int*>;
    made.xFullPathname = pass_on<&sqlite3_vfs::xFullPathname, char const*, int, char*>;
    made.xRandomness = pass_on<&sqlite3_vfs::xRandomness, int, char*>;
    made.xSleep = pass_on<&sqlite3_vfs::xSleep, int>;
    made.xCurrentTime = pass_on<&sqlite3_vfs::xCurrentTime, double*>;
    made.xGetLastError = pass_on<&sqlite3_vfs::xGetLastError, int, char*>;
    made.xCurrentTimeInt64 = pass_on<&sqlite3_vfs::xCurrentTimeInt64, sqlite3_int64*>;
    if (sqlite3_vfs_register(&made, 0) != SQLITE_OK)
        throw error{error::kind::unavailable, "SQLite takes no VFS"};
}

vfs_layer::~vfs_layer() {
    sqlite3_vfs_unregister(vfs_.get());
}

}  // namespace linkledger::sql::sqlite
