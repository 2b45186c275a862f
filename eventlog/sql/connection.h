#pragma once
// One SQL connection, SQLite or PostgreSQL, behind the few calls that the stores and projections need.
//
// SQL is written once for both where the dialects agree: placeholders are `$1`, `$2`, … (used in ascending
// order of first appearance), upserts are `ON CONFLICT`. Where they differ, ask `dialect()`.

#include "domain/ids.h"
#include "domain/time.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace linkledger::sql {

enum class dialect { sqlite, postgresql };

/// What went wrong, as far as callers act on it. Messages hold SQL states and texts, never parameters.
class error : public std::runtime_error {
public:
    enum class kind {
        unavailable,      ///< No connection, or it broke before the statement was sent. Reconnect.
        unknown_outcome,  ///< The connection broke during a statement or commit that may have happened.
        timeout,          ///< The call's deadline passed, or a lock was not had in time; rolled back.
        constraint,       ///< A uniqueness or check constraint.
        other,            ///< A defect: bad SQL, a missing table, a wrong type.
    };
    error(kind k, std::string const& message) : std::runtime_error(message), kind_(k) {}
    [[nodiscard]] kind what_kind() const { return kind_; }

private:
    kind kind_;
};

struct blob {
    std::string bytes;
    bool operator==(blob const&) const = default;
};

/// A bound value. UUIDs are text in SQLite and `uuid` in PostgreSQL; times are RFC 3339 text in SQLite and
/// `timestamptz` in PostgreSQL; booleans are 0 and 1 in SQLite.
using parameter = std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, blob, domain::uuid,
                               domain::timestamp>;
using parameters = std::vector<parameter>;

/// A bound value from something that may be absent (then NULL). Strong ids are bound as their UUID.
template <typename T>
parameter bind(std::optional<T> const& value);
inline parameter bind(std::string_view value) {
    return std::string{value};
}
inline parameter bind(std::string const& value) {
    return value;
}
inline parameter bind(char const* value) {
    return std::string{value};
}
inline parameter bind(bool value) {
    return value;
}
inline parameter bind(int value) {
    return std::int64_t{value};
}
inline parameter bind(std::int64_t value) {
    return value;
}
inline parameter bind(domain::uuid const& value) {
    return value;
}
inline parameter bind(domain::timestamp value) {
    return value;
}
template <typename Tag>
parameter bind(domain::strong_id<Tag> const& value) {
    return value.value;
}
template <typename T>
parameter bind(std::optional<T> const& value) {
    if (!value) return nullptr;
    return bind(*value);
}

/// A result row's cells, by column index from 0. Reading a NULL through a plain getter, or a cell of another
/// type, throws error::kind::other.
class row {
public:
    virtual ~row() = default;
    [[nodiscard]] virtual bool is_null(int column) const = 0;
    [[nodiscard]] virtual std::string text(int column) const = 0;
    [[nodiscard]] virtual std::int64_t integer(int column) const = 0;
    [[nodiscard]] virtual bool boolean(int column) const = 0;
    [[nodiscard]] virtual double real(int column) const = 0;
    [[nodiscard]] virtual std::string bytes(int column) const = 0;
    [[nodiscard]] virtual domain::uuid id(int column) const = 0;
    [[nodiscard]] virtual domain::timestamp time(int column) const = 0;

    [[nodiscard]] std::optional<std::string> text_or_null(int column) const {
        return is_null(column) ? std::nullopt : std::optional{text(column)};
    }
    [[nodiscard]] std::optional<std::int64_t> integer_or_null(int column) const {
        return is_null(column) ? std::nullopt : std::optional{integer(column)};
    }
    [[nodiscard]] std::optional<domain::uuid> id_or_null(int column) const {
        return is_null(column) ? std::nullopt : std::optional{id(column)};
    }
    [[nodiscard]] std::optional<domain::timestamp> time_or_null(int column) const {
        return is_null(column) ? std::nullopt : std::optional{time(column)};
    }
};

/// Not safe for use by two threads at once. Statements are prepared once and kept (256 at most).
/// Every call throws sql::error.
class connection {
public:
    virtual ~connection() = default;
    [[nodiscard]] virtual sql::dialect dialect() const = 0;

    /// Runs one statement; returns the number of rows it changed.
    virtual std::int64_t execute(std::string const& sql, parameters const& values = {}) = 0;

    /// Runs a query; calls `each` for every row, which is valid during the call only.
    virtual void query(std::string const& sql, parameters const& values,
                       std::function<void(row const&)> const& each) = 0;

    /// Runs several statements without parameters (migrations).
    virtual void execute_script(std::string const& sql) = 0;

    /// Set-based DML: `{values}` in `sql` stands for a derived table of `rows` with columns column1, column2,
    /// … of the given PostgreSQL types, e.g. `UPDATE links_v1 AS l SET total_clicks = l.total_clicks +
    /// d.column2 FROM {values} AS d WHERE l.id = d.column1` with {"uuid", "bigint"}. Split into several
    /// statements where a limit of the database asks for it. Returns the number of rows changed.
    virtual std::int64_t execute_values(std::string const& sql, std::vector<std::string> const& types,
                                        std::vector<parameters> const& rows) = 0;

    /// Appends rows as fast as the database can take them. A conflict fails the whole call.
    virtual void copy_rows(std::string const& table, std::vector<std::string> const& columns,
                           std::vector<parameters> const& rows) = 0;

    /// Transactions do not nest. SQLite begins IMMEDIATE for `write`. `read` is one snapshot (REPEATABLE
    /// READ, read only).
    enum class access { read, write };
    virtual void begin(access how) = 0;
    /// Throws unknown_outcome when the connection breaks before the answer.
    virtual void commit() = 0;
    /// Never throws; a broken connection has rolled back already.
    virtual void rollback() noexcept = 0;

    /// False once the connection broke; it stays so.
    [[nodiscard]] virtual bool usable() const = 0;

    // Conveniences on top of the above.
    template <typename Read>
    auto query_one(std::string const& sql, parameters const& values, Read const& read)
        -> std::optional<std::invoke_result_t<Read, row const&>> {
        std::optional<std::invoke_result_t<Read, row const&>> found;
        query(sql, values, [&](row const& r) {
            if (!found) found.emplace(read(r));
        });
        return found;
    }
    template <typename Read>
    auto query_all(std::string const& sql, parameters const& values, Read const& read)
        -> std::vector<std::invoke_result_t<Read, row const&>> {
        std::vector<std::invoke_result_t<Read, row const&>> all;
        query(sql, values, [&](row const& r) { all.push_back(read(r)); });
        return all;
    }
};

/// Rolls back unless committed.
class transaction {
public:
    transaction(connection& on, connection::access how) : on_(on) { on_.begin(how); }
    ~transaction() {
        if (!done_) on_.rollback();
    }
    transaction(transaction const&) = delete;
    transaction& operator=(transaction const&) = delete;
    void commit() {
        done_ = true;
        on_.commit();
    }

private:
    connection& on_;
    bool done_ = false;
};

struct sqlite_options {
    /// `PRAGMA synchronous`: full for the log, normal for read models.
    enum class sync { normal, full };
    sync synchronous = sync::full;
    std::chrono::milliseconds busy_timeout{5000};
    bool read_only = false;
    bool owner_only =
        false;          ///< A file that is made gets mode 0600, and so do those that SQLite puts beside it.
    std::string vfs{};  ///< A registered VFS, for tests; empty: the default.
};
/// Opens or creates the file in WAL mode.
std::unique_ptr<connection> open_sqlite(std::string const& path, sqlite_options const& options);

struct postgres_options {
    std::string url;  ///< A libpq connection string or URL.
    std::chrono::milliseconds connect_timeout{5000};
    std::chrono::milliseconds statement_timeout{30000};
    std::chrono::milliseconds lock_timeout{10000};
    std::chrono::milliseconds idle_in_transaction_timeout{30000};
    /// A call that gets no answer for this long has its socket shut down (the server may be stopped, not
    /// dead): `unknown_outcome` or `unavailable`.
    std::chrono::milliseconds call_timeout{35000};
    bool synchronous_commit = true;  ///< Off for read models: checkpoint and rows are lost together, or kept.
};
std::unique_ptr<connection> open_postgres(postgres_options const& options);

}  // namespace linkledger::sql
