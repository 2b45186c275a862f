#pragma once
// SQLite's C interface with owners and errors: what the connection (sql/sqlite.cpp) and the log
// (sqlite_log.cpp) share.

#include "eventlog/sql/connection.h"

#include <sqlite3.h>
#include <algorithm>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace linkledger::sql::sqlite {

/// Throws what `result_code` stands for as sql::error. The message has SQLite's text and code, and never a
/// bound value.
[[noreturn]] void raise(sqlite3* on, int result_code);

/// True for what leaves the connection in a state that only opening the file anew mends.
[[nodiscard]] bool breaks_connection(int result_code);

struct closer {
    void operator()(sqlite3* open) const noexcept { sqlite3_close_v2(open); }
};
/// An open database file. Not safe for use by two threads at once.
using handle = std::unique_ptr<sqlite3, closer>;

/// Opens or creates the file in WAL mode, with the options' synchronous mode and timeouts set. Processes that
/// open it at once wait for each other.
[[nodiscard]] handle open(std::string const& path, sqlite_options const& options);

/// Runs statements that take no parameters and whose rows nobody needs.
void run(sqlite3* on, std::string const& script);

/// A prepared statement, used again and again. Bound text and bytes are not copied: they live until the
/// statement is reset. Columns and parameters count as in SQLite: from 0 and from 1.
class statement {
public:
    statement() = default;
    statement(sqlite3* on, std::string_view sql);

    void bind(int parameter, std::int64_t value) { check(sqlite3_bind_int64(get(), parameter, value)); }
    void bind(int parameter, double value) { check(sqlite3_bind_double(get(), parameter, value)); }
    void bind_text(int parameter, std::string_view value);
    void bind_bytes(int parameter, void const* data, std::size_t size);
    void bind_bytes(int parameter, std::string_view value) {
        bind_bytes(parameter, value.data(), value.size());
    }
    void bind_null(int parameter) { check(sqlite3_bind_null(get(), parameter)); }

    /// True: there is a row. False: done.
    bool step() {
        int const code = sqlite3_step(get());
        if (code == SQLITE_ROW) return true;
        if (code != SQLITE_DONE) fail(code);
        return false;
    }
    /// For statements that give no row: runs it and makes it ready for the next run.
    void run() {
        while (step()) {
        }
        reset();
    }
    void reset() noexcept { sqlite3_reset(get()); }

    [[nodiscard]] bool is_null(int column) const { return sqlite3_column_type(get(), column) == SQLITE_NULL; }
    [[nodiscard]] std::int64_t integer(int column) const { return sqlite3_column_int64(get(), column); }
    /// Valid until the next step or reset.
    [[nodiscard]] std::string_view text(int column) const;
    [[nodiscard]] std::string_view bytes(int column) const;

    [[nodiscard]] sqlite3_stmt* get() const { return owned_.get(); }

private:
    struct finalizer {
        void operator()(sqlite3_stmt* prepared) const noexcept { sqlite3_finalize(prepared); }
    };

    void check(int code) {
        if (code != SQLITE_OK) fail(code);
    }
    [[noreturn]] void fail(int code);

    std::unique_ptr<sqlite3_stmt, finalizer> owned_;
};

/// Resets a statement when the scope ends, whichever way it ends.
class reset_guard {
public:
    explicit reset_guard(statement& used) : used_(used) {}
    ~reset_guard() { used_.reset(); }
    reset_guard(reset_guard const&) = delete;
    reset_guard& operator=(reset_guard const&) = delete;

private:
    statement& used_;
};

/// The bytes of a column that always has as many. Throws sql::error where it has not.
template <typename Array>
void copy_bytes(std::string_view from, Array& to) {
    if (from.size() != to.size()) throw error{error::kind::other, "SQLite: bytes of a wrong length"};
    std::copy(from.begin(), from.end(), to.begin());
}

}  // namespace linkledger::sql::sqlite
