#pragma once
// Where tiles and signed heads are kept: a SQLite file beside the log, or PostgreSQL. Derived from the log,
// but for the heads: what was signed is never signed otherwise.

#include "eventlog/merkle/tree.h"
#include "eventlog/sql/connection.h"

#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace linkledger::eventlog::merkle {

/// The history that a tree belongs to. A log that was restored has another epoch, and begins another tree.
struct history {
    uuid log_id{};
    std::int64_t epoch = 1;

    bool operator==(history const&) const = default;
};

struct signed_head {
    std::int64_t size = 0;
    digest root{};
    std::string checkpoint;  ///< The signed note.
    timestamp signed_at{};

    bool operator==(signed_head const&) const = default;
};

/// A tile of level 1 or higher, full or not yet.
struct stored_tile {
    int level = 1;
    std::int64_t number = 0;
    std::vector<digest> hashes;
};

/// Kept as long as its process signs; given up on destruction, and by the operating system or the database
/// when the process dies. One thread's at a time.
class tree_writer {
public:
    virtual ~tree_writer() = default;
    /// Writes tiles and head in one transaction; durable on return. `false`, and nothing is written, when the
    /// stored head does not have `from_size` (0: there is none) leaves: someone else signed.
    virtual result<bool> advance(history const& of, std::int64_t from_size, signed_head const& head,
                                 std::vector<stored_tile> const& tiles) = 0;
};

/// Safe to call from any thread; calls block.
class tree_store {
public:
    using opener = std::function<std::unique_ptr<sql::connection>()>;
    /// `lock_path`: of SQLite's lock file.
    tree_store(opener open, std::string lock_path)
        : open_(std::move(open)), lock_path_(std::move(lock_path)) {}

    result<std::optional<signed_head>> head(history const& of);
    /// The tile's hashes so far; none when it was not begun. `level` >= 1.
    result<std::vector<digest>> tile(history const& of, int level, std::int64_t number);
    /// Null when another process signs.
    result<std::unique_ptr<tree_writer>> try_open_writer();

private:
    template <typename Read>
    auto reading(Read const& read) -> result<std::invoke_result_t<Read, sql::connection&>>;

    opener open_;
    std::string lock_path_;
    std::mutex mutex_;
    std::unique_ptr<sql::connection> reader_;
};

/// Their tables must have been migrated. SQLite: of `data/linkledger.db`, `data/linkledger.merkle-v1.db`.
[[nodiscard]] std::unique_ptr<tree_store> create_sqlite_tree_store(std::string const& db_path);
[[nodiscard]] std::unique_ptr<tree_store> create_postgres_tree_store(std::string const& url);

}  // namespace linkledger::eventlog::merkle
