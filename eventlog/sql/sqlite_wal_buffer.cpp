#include "eventlog/sql/sqlite_wal_buffer.h"

#include <algorithm>
#include <new>

namespace linkledger::sql::sqlite {

namespace {

/// SQLite's own VFS takes less than 128 KiB at once: of more it writes the remainder, and then nothing.
constexpr std::size_t held_back_max = 120 * 1024;

/// A frame is a header and a page (https://www.sqlite.org/fileformat2.html#the_write_ahead_log). The header
/// of a commit's last frame has the size of the database after it, where others have zero.
constexpr std::size_t frame_header_bytes = 24;
bool ends_commit(std::string_view frame_header) {
    auto const size = frame_header.substr(4, 4);
    return std::any_of(size.begin(), size.end(), [](char byte) { return byte != 0; });
}

struct wal_file : layered_file<wal_file> {
    std::string held_back;
    sqlite3_int64 end = 0;  ///< Of the last write, held back or not.
    bool page_follows = false, commit_follows = false;

    int flush() {
        if (held_back.empty()) return SQLITE_OK;
        auto const size = static_cast<sqlite3_int64>(held_back.size());
        int const code = io().xWrite(below(), held_back.data(), static_cast<int>(size), end - size);
        held_back.clear();
        return code;
    }

    /// Frames are held back where they follow on what was written before; what goes elsewhere mends old ones.
    int write(std::string_view bytes, sqlite3_int64 at) {
        bool const is_next = at == end;
        bool const is_header = is_next && !page_follows && bytes.size() == frame_header_bytes;
        bool const is_page = is_next && page_follows;
        bool const has_room = held_back.size() + bytes.size() <= held_back_max;
        if (!has_room || (!is_header && !is_page)) {
            if (int const code = flush(); code != SQLITE_OK) return code;
        }
        end = at + static_cast<sqlite3_int64>(bytes.size());
        page_follows = is_header;
        if (!is_header && !is_page) {
            return io().xWrite(below(), bytes.data(), static_cast<int>(bytes.size()), at);
        }
        held_back += bytes;
        if (is_header) commit_follows = ends_commit(bytes);
        return is_page && commit_follows ? flush() : SQLITE_OK;
    }
};

int write_held_back(sqlite3_file* file, void const* bytes, int size, sqlite3_int64 offset) {
    try {
        return wal_file::of(file)->write({static_cast<char const*>(bytes), static_cast<std::size_t>(size)},
                                         offset);
    } catch (std::bad_alloc const&) {
        return SQLITE_IOERR_NOMEM;
    }
}

int flush_and_close(sqlite3_file* file) {
    int const flushed = wal_file::of(file)->flush();
    int const closed = wal_file::close(file);
    return flushed == SQLITE_OK ? closed : flushed;
}

/// Passes a call on, behind the writes that were before it.
template <auto Method, typename... Arguments>
int flush_and_pass(sqlite3_file* file, Arguments... arguments) {
    int const flushed = wal_file::of(file)->flush();
    return flushed == SQLITE_OK ? wal_file::pass<Method>(file, arguments...) : flushed;
}

sqlite3_io_methods wal_methods() {
    auto made = wal_file::passing_methods();
    made.xClose = flush_and_close;
    made.xWrite = write_held_back;
    made.xRead = flush_and_pass<&sqlite3_io_methods::xRead, void*, int, sqlite3_int64>;
    made.xTruncate = flush_and_pass<&sqlite3_io_methods::xTruncate, sqlite3_int64>;
    made.xSync = flush_and_pass<&sqlite3_io_methods::xSync, int>;
    made.xFileSize = flush_and_pass<&sqlite3_io_methods::xFileSize, sqlite3_int64*>;
    made.xFileControl = flush_and_pass<&sqlite3_io_methods::xFileControl, int, void*>;
    return made;
}

int open_buffered(sqlite3_vfs* layer, char const* path, sqlite3_file* file, int flags, int* flags_out) {
    static sqlite3_io_methods const methods = wal_methods();
    if ((flags & SQLITE_OPEN_WAL) != 0) return wal_file::open(layer, path, file, flags, flags_out, methods);
    auto* const below = vfs_layer::below(layer);
    return below->xOpen(below, path, file, flags, flags_out);
}

}  // namespace

wal_buffer::wal_buffer(std::string const& over_vfs)
    : layer_(over_vfs, "wal-buffer", sizeof(wal_file), open_buffered) {}

}  // namespace linkledger::sql::sqlite
