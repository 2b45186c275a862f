#include "eventlog/merkle/tree_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace linkledger::eventlog::merkle {
namespace {

using sql::connection;

failure to_failure(sql::error const& caught) {
    switch (caught.what_kind()) {
        case sql::error::kind::unavailable:
            return {failure_code::unavailable, caught.what()};
        case sql::error::kind::unknown_outcome:
            return {failure_code::unknown_outcome, caught.what()};
        case sql::error::kind::timeout:
            return {failure_code::timeout, caught.what()};
        case sql::error::kind::constraint:
        case sql::error::kind::other:
            break;
    }
    return {failure_code::corrupted, caught.what()};
}

sql::blob to_blob(std::span<digest const> hashes) {
    return {{reinterpret_cast<char const*>(hashes.data()), hashes.size_bytes()}};
}

std::vector<digest> to_hashes(std::string const& bytes) {
    if (bytes.size() % sizeof(digest) != 0)
        throw sql::error{sql::error::kind::other, "a stored tile's size is not that of hashes"};
    std::vector<digest> hashes(bytes.size() / sizeof(digest));
    std::memcpy(hashes.data(), bytes.data(), bytes.size());
    return hashes;
}

/// The kernel gives it up when the process dies.
class file_lock {
public:
    /// Throws sql::error.
    explicit file_lock(std::string const& path)
        : descriptor_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
        if (descriptor_ < 0)
            throw sql::error{sql::error::kind::unavailable,
                             "cannot open " + path + ": " + std::generic_category().message(errno)};
    }
    ~file_lock() { ::close(descriptor_); }
    file_lock(file_lock const&) = delete;
    file_lock& operator=(file_lock const&) = delete;
    [[nodiscard]] bool take() const { return ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0; }

private:
    int descriptor_;
};

/// In PostgreSQL the lock is the session's, so a signer whose connection is lost cannot go on signing.
class sql_tree_writer final : public tree_writer {
public:
    sql_tree_writer(std::unique_ptr<connection> on, std::unique_ptr<file_lock> lock)
        : on_(std::move(on)), lock_(std::move(lock)) {}

    result<bool> advance(history const& of, std::int64_t from_size, signed_head const& head,
                         std::vector<stored_tile> const& tiles) override {
        try {
            sql::transaction all{*on_, connection::access::write};
            if (!stands_at(of, from_size)) return false;
            for (auto const& tile : tiles) put(of, tile);
            put(of, head);
            all.commit();
            return true;
        } catch (sql::error const& caught) {
            return to_failure(caught);
        }
    }

private:
    bool stands_at(history const& of, std::int64_t size) {
        std::string sql = "SELECT size FROM merkle_heads WHERE log_id = $1 AND epoch = $2";
        if (on_->dialect() == sql::dialect::postgresql) sql += " FOR UPDATE";
        auto const stored =
            on_->query_one(sql, {of.log_id, of.epoch}, [](sql::row const& r) { return r.integer(0); });
        return stored.value_or(0) == size;
    }

    void put(history const& of, stored_tile const& tile) {
        on_->execute(
            "INSERT INTO merkle_tiles (log_id, epoch, level, number, hashes) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT (log_id, epoch, level, number) DO UPDATE SET hashes = excluded.hashes",
            {of.log_id, of.epoch, std::int64_t{tile.level}, tile.number, to_blob(tile.hashes)});
    }

    void put(history const& of, signed_head const& head) {
        on_->execute(
            "INSERT INTO merkle_heads (log_id, epoch, size, root, checkpoint, signed_at)"
            " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (log_id, epoch) DO UPDATE SET"
            " size = excluded.size, root = excluded.root, checkpoint = excluded.checkpoint,"
            " signed_at = excluded.signed_at",
            {of.log_id, of.epoch, head.size, to_blob({&head.root, 1}), head.checkpoint, head.signed_at});
    }

    std::unique_ptr<connection> on_;
    std::unique_ptr<file_lock> lock_;
};

}  // namespace

template <typename Read>
auto tree_store::reading(Read const& read) -> result<std::invoke_result_t<Read, sql::connection&>> {
    std::lock_guard const lock{mutex_};
    try {
        if (!reader_ || !reader_->usable()) reader_ = open_();
        return read(*reader_);
    } catch (sql::error const& caught) {
        reader_.reset();
        return to_failure(caught);
    }
}

result<std::optional<signed_head>> tree_store::head(history const& of) {
    return reading([&](connection& on) {
        return on.query_one(
            "SELECT size, root, checkpoint, signed_at FROM merkle_heads WHERE log_id = $1 AND epoch = $2",
            {of.log_id, of.epoch}, [](sql::row const& r) {
                auto const root = to_hashes(r.bytes(1));
                if (root.size() != 1) throw sql::error{sql::error::kind::other, "a stored head has no root"};
                return signed_head{r.integer(0), root.front(), r.text(2), r.time(3)};
            });
    });
}

result<std::vector<digest>> tree_store::tile(history const& of, int level, std::int64_t number) {
    return reading([&](connection& on) {
        return on
            .query_one(
                "SELECT hashes FROM merkle_tiles WHERE log_id = $1 AND epoch = $2 AND level = $3 AND"
                " number = $4",
                {of.log_id, of.epoch, std::int64_t{level}, number},
                [](sql::row const& r) { return to_hashes(r.bytes(0)); })
            .value_or(std::vector<digest>{});
    });
}

result<std::unique_ptr<tree_writer>> tree_store::try_open_writer() {
    try {
        auto on = open_();
        std::unique_ptr<file_lock> lock;
        bool taken = false;
        if (on->dialect() == sql::dialect::sqlite) {
            lock = std::make_unique<file_lock>(lock_path_);
            taken = lock->take();
        } else {
            taken = on->query_one("SELECT pg_try_advisory_lock(hashtextextended('linkledger signer', 0))", {},
                                  [](sql::row const& r) { return r.boolean(0); })
                        .value_or(false);
        }
        if (!taken) return std::unique_ptr<tree_writer>{};
        return std::unique_ptr<tree_writer>{
            std::make_unique<sql_tree_writer>(std::move(on), std::move(lock))};
    } catch (sql::error const& caught) {
        return to_failure(caught);
    }
}

std::unique_ptr<tree_store> create_sqlite_tree_store(std::string const& db_path) {
    constexpr std::string_view extension = ".db";
    std::string stem = db_path;
    if (stem.ends_with(extension)) stem.resize(stem.size() - extension.size());
    std::string const path = stem + ".merkle-v1.db";
    return std::make_unique<tree_store>([path] { return sql::open_sqlite(path, {}); }, path + ".lock");
}

std::unique_ptr<tree_store> create_postgres_tree_store(std::string const& url) {
    auto const open = [url] {
        sql::postgres_options options;
        options.url = url;
        // A signer is quiet for as long as nothing is appended.
        return sql::open_postgres(options);
    };
    return std::make_unique<tree_store>(open, "");
}

}  // namespace linkledger::eventlog::merkle
