#include "eventlog/sql/sqlite_handle.h"

#include <fcntl.h>
#include <unistd.h>

#include <thread>

namespace linkledger::sql::sqlite {

namespace {

error::kind kind_of(int result_code) {
    switch (result_code & 0xff) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_INTERRUPT:
            return error::kind::timeout;
        case SQLITE_CONSTRAINT:
            return error::kind::constraint;
        case SQLITE_IOERR:
        case SQLITE_FULL:
        case SQLITE_CANTOPEN:
        case SQLITE_NOMEM:
        case SQLITE_PROTOCOL:
        case SQLITE_READONLY:
            return error::kind::unavailable;
        default:
            return error::kind::other;
    }
}

/// Changing the journal mode does not always wait as other statements do, so the wait is here.
void enter_wal_mode(sqlite3* on, std::chrono::milliseconds patience) {
    auto const deadline = std::chrono::steady_clock::now() + patience;
    for (;;) {
        int const code = sqlite3_exec(on, "PRAGMA journal_mode=WAL", nullptr, nullptr, nullptr);
        if (code == SQLITE_OK) return;
        bool const locked = (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED;
        if (!locked || std::chrono::steady_clock::now() >= deadline) raise(on, code);
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
}

}  // namespace

void raise(sqlite3* on, int result_code) {
    std::string message = "SQLite error " + std::to_string(result_code) + ": ";
    message += sqlite3_errstr(result_code);
    if (on != nullptr && (sqlite3_errcode(on) & 0xff) == (result_code & 0xff)) {
        message += " (";
        message += sqlite3_errmsg(on);
        message += ")";
    }
    throw error{kind_of(result_code), message};
}

bool breaks_connection(int result_code) {
    switch (result_code & 0xff) {
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return true;
        default:
            return false;
    }
}

namespace {

/// Whatever the umask; SQLite gives the same mode to what it puts beside it. A failure is SQLite's to report.
void make_private_file(std::string const& path) {
    int const file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0) ::close(file);
}

handle open_unnamed(std::string const& path, sqlite_options const& options) {
    if (options.owner_only) make_private_file(path);
    // A connection is one thread's at a time, so SQLite needs no mutex of its own.
    int const flags = SQLITE_OPEN_NOMUTEX |
                      (options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    sqlite3* raw = nullptr;
    int const code =
        sqlite3_open_v2(path.c_str(), &raw, flags, options.vfs.empty() ? nullptr : options.vfs.c_str());
    handle opened{raw};
    if (code != SQLITE_OK) raise(raw, code);
    sqlite3_extended_result_codes(raw, 1);
    sqlite3_busy_timeout(raw, static_cast<int>(options.busy_timeout.count()));
    if (!options.read_only) enter_wal_mode(raw, options.busy_timeout);
    run(raw, options.synchronous == sqlite_options::sync::full ? "PRAGMA synchronous=FULL"
                                                               : "PRAGMA synchronous=NORMAL");
    return opened;
}

}  // namespace

handle open(std::string const& path, sqlite_options const& options) {
    try {
        return open_unnamed(path, options);
    } catch (error const& caught) {
        throw error{caught.what_kind(), path + " cannot be opened: " + caught.what()};
    }
}

void run(sqlite3* on, std::string const& script) {
    int const code = sqlite3_exec(on, script.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) raise(on, code);
}

statement::statement(sqlite3* on, std::string_view sql) {
    sqlite3_stmt* prepared = nullptr;
    char const* rest = nullptr;
    int const code = sqlite3_prepare_v3(on, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &prepared, &rest);
    if (code != SQLITE_OK) raise(on, code);
    owned_.reset(prepared);
    if (prepared == nullptr) throw error{error::kind::other, "an empty statement"};
    std::string_view const left{rest, static_cast<std::size_t>(sql.data() + sql.size() - rest)};
    if (left.find_first_not_of(" \t\r\n;") != std::string_view::npos)
        throw error{error::kind::other, "more than one statement where one was expected"};
}

void statement::bind_text(int parameter, std::string_view value) {
    // An empty view may hold no pointer, which SQLite would take for NULL.
    char const* const data = value.data() == nullptr ? "" : value.data();
    check(sqlite3_bind_text64(get(), parameter, data, value.size(), SQLITE_STATIC, SQLITE_UTF8));
}

void statement::bind_bytes(int parameter, void const* data, std::size_t size) {
    check(sqlite3_bind_blob64(get(), parameter, data == nullptr ? "" : data, size, SQLITE_STATIC));
}

std::string_view statement::text(int column) const {
    auto const* data = reinterpret_cast<char const*>(sqlite3_column_text(get(), column));
    return {data == nullptr ? "" : data, static_cast<std::size_t>(sqlite3_column_bytes(get(), column))};
}

std::string_view statement::bytes(int column) const {
    auto const* data = static_cast<char const*>(sqlite3_column_blob(get(), column));
    return {data == nullptr ? "" : data, static_cast<std::size_t>(sqlite3_column_bytes(get(), column))};
}

void statement::fail(int code) {
    sqlite3* const on = sqlite3_db_handle(get());
    // Resetting ends the statement's lock on the file; the error text stands until the next call.
    try {
        raise(on, code);
    } catch (...) {
        reset();
        throw;
    }
}

}  // namespace linkledger::sql::sqlite
