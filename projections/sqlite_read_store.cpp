// Read models in SQLite: a file per build beside the log's, and one for which of them is live.

#include "eventlog/sql/file_lock.h"
#include "eventlog/sql/sqlite_paced_vfs.h"
#include "eventlog/sql/sqlite_wal_buffer.h"
#include "projections/projection.h"
#include "projections/read_store.h"
#include "projections/reader_pool.h"
#include "projections/registry.h"

#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>

namespace linkledger::projections {
namespace {

constexpr std::size_t readers_per_file = 4;
constexpr std::size_t control_readers = 4;
constexpr std::string_view extension = ".db";

/// `flock` on a file beside the database; the kernel gives it up when the process dies.
class file_lock final : public writer_lock {
public:
    explicit file_lock(sql::file_lock held) : held_(std::move(held)) {}

private:
    sql::file_lock held_;
};

std::unique_ptr<writer_lock> try_lock_file(std::string const& path) {
    if (auto held = sql::try_lock_file(path)) return std::make_unique<file_lock>(std::move(*held));
    return nullptr;
}

std::string stem_of(std::string const& db_path) {
    std::string stem = db_path;
    if (stem.ends_with(extension)) stem.resize(stem.size() - extension.size());
    return stem;
}

class sqlite_read_store final : public read_store {
public:
    sqlite_read_store(std::string db_path, lifetime rows)
        : db_path_(std::move(db_path)),
          rows_(rows),
          control_path_(stem_of(db_path_) + ".projections" + std::string{extension}),
          control_(opener(control_path_), control_readers) {}

    [[nodiscard]] sql::dialect dialect() const override { return sql::dialect::sqlite; }

    std::unique_ptr<sql::connection> open_writer(std::string const& projection, build_id which) override {
        auto const path = read_model_path(db_path_, projection, which);
        if (!which.is_first()) copy_form(projection, which);
        sql::sqlite_options options;
        options.synchronous = sql::sqlite_options::sync::normal;
        options.vfs = writing_vfs();
        auto writer = sql::open_sqlite(path, options);
        // Clicks of many links dirty a page each. With 64 MB of WAL between its checkpoints a page is written
        // back once for many batches. Every read model has a cache of its own, so it is kept small.
        writer->execute_script(
            "PRAGMA wal_autocheckpoint=16000; PRAGMA cache_size=-16384; PRAGMA temp_store=2;");
        if (rows_ == lifetime::brief) writer->execute_script("PRAGMA synchronous=OFF");
        return writer;
    }

    std::unique_ptr<sql::connection> open_loader(std::string const& projection, build_id which) override {
        if (!which.is_first()) copy_form(projection, which);
        sql::sqlite_options options;
        options.synchronous = sql::sqlite_options::sync::normal;
        options.busy_timeout = std::chrono::seconds{30};
        auto loader = sql::open_sqlite(read_model_path(db_path_, projection, which), options);
        // What an index is sorted by goes through files, whatever its size.
        loader->execute_script(
            "PRAGMA wal_autocheckpoint=16000; PRAGMA cache_size=-32768; PRAGMA temp_store=1;");
        // So that it is sorted by other threads while its rows are still read.
        if (rows_ == lifetime::brief) loader->execute_script("PRAGMA synchronous=OFF; PRAGMA threads=2;");
        return loader;
    }

    std::unique_ptr<writer_lock> try_lock(std::string const& projection, build_id which,
                                          sql::connection& /*writer*/) override {
        return try_lock_file(read_model_path(db_path_, projection, which) + ".lock");
    }

    std::unique_ptr<sql::connection> open_control() override { return sql::open_sqlite(control_path_, {}); }

    std::unique_ptr<writer_lock> try_lock_rebuild(std::string const& projection,
                                                  sql::connection& /*control*/) override {
        return try_lock_file(stem_of(db_path_) + "." + projection + ".rebuild.lock");
    }

    void make_tables(projection const& of, build_id which) override {
        if (!which.is_first()) copy_form(std::string{of.name()}, which);
    }

    void remove_tables(projection const& of, build_id which) override {
        std::string const name{of.name()};
        if (!which.is_first()) {
            auto const path = read_model_path(db_path_, name, which);
            // The file last: while it is there, the removal can be repeated.
            for (auto const* const suffix : {"-wal", "-shm", ".lock", ""}) {
                std::error_code ignored;
                std::filesystem::remove(path + suffix, ignored);
            }
            forget_pool(name, which);
            return;
        }
        auto const writer = open_writer(name, which);
        {
            sql::transaction turn{*writer, sql::connection::access::write};
            for (auto const table : of.tables()) writer->execute("DELETE FROM " + std::string{table});
            writer->execute("DELETE FROM parked_events");
            writer->execute(
                "UPDATE projection_checkpoints SET log_id = NULL, position = 0, recorded_at = NULL");
            turn.commit();
        }
        writer->execute("VACUUM");
    }

    std::int64_t disk_bytes(projection const& of, build_id which) override {
        std::int64_t bytes = 0;
        auto const path = read_model_path(db_path_, std::string{of.name()}, which);
        for (auto const* const suffix : {"", "-wal"}) {
            std::error_code missing;
            auto const size = std::filesystem::file_size(path + suffix, missing);
            if (!missing) bytes += static_cast<std::int64_t>(size);
        }
        return bytes;
    }

    [[nodiscard]] std::string scratch_folder() const override { return stem_of(db_path_) + ".rebuild"; }

    void read(std::string const& projection, std::function<void(snapshot const&)> const& work) override {
        for (bool is_done = false; !is_done;) {
            auto const which = live_build(projection);
            require_readable(projection, which.version);
            read_build(projection, which, [&](snapshot const& seen) {
                // Before its snapshot was taken it may have been switched out, and dropped.
                if (live_build(projection) != which) return;
                is_done = true;
                work(seen);
            });
        }
    }

    [[nodiscard]] build_id live_build(std::string const& projection) {
        std::optional<build_id> live;
        control_.read([&](sql::connection& rows) {
            live = rows.query_one(
                "SELECT version, build FROM projection_versions WHERE name = $1 AND state = 'live'",
                {projection}, [](sql::row const& r) {
                    return build_id{static_cast<int>(r.integer(0)), static_cast<int>(r.integer(1))};
                });
        });
        if (!live)
            throw sql::error{sql::error::kind::unavailable, "no version of " + projection + " is live yet"};
        return *live;
    }

    void read_build(std::string const& projection, build_id which,
                    std::function<void(snapshot const&)> const& work) override {
        pool_of(projection, which)->read([&](sql::connection& rows) {
            auto const position = rows.query_one(
                "SELECT position FROM projection_checkpoints WHERE name = $1 AND version = $2",
                {projection, std::int64_t{which.version}}, [](sql::row const& r) { return r.integer(0); });
            work({rows, position.value_or(0), which});
        });
    }

private:
    using pool_pointer = std::shared_ptr<reader_pool>;
    using file_identity = std::pair<dev_t, ino_t>;
    struct known_pool {
        pool_pointer pool;
        file_identity of;
    };

    static reader_pool::opener opener(std::string const& path) {
        return [path] {
            sql::sqlite_options options;
            options.read_only = true;
            options.synchronous = sql::sqlite_options::sync::normal;
            return sql::open_sqlite(path, options);
        };
    }

    /// What lasts is synced in pieces while it is written; of what does not, nothing is.
    [[nodiscard]] std::string const& writing_vfs() const {
        static sql::sqlite::paced_vfs const paced{""};
        static sql::sqlite::wal_buffer const lasting{paced.name()};
        static sql::sqlite::wal_buffer const brief{""};
        return rows_ == lifetime::lasting ? lasting.name() : brief.name();
    }

    /// Of the file that is there now: another process may have dropped the build, and made it anew.
    pool_pointer pool_of(std::string const& projection, build_id which) {
        auto const path = read_model_path(db_path_, projection, which);
        struct stat status {};
        file_identity const file = ::stat(path.c_str(), &status) == 0
                                       ? file_identity{status.st_dev, status.st_ino}
                                       : file_identity{};
        std::lock_guard const lock{mutex_};
        auto& known = pools_[{projection, which}];
        if (!known.pool || known.of != file)
            known = {std::make_shared<reader_pool>(opener(path), readers_per_file), file};
        return known.pool;
    }

    void forget_pool(std::string const& projection, build_id which) {
        std::lock_guard const lock{mutex_};
        pools_.erase({projection, which});
    }

    /// Makes the file of a further build with what the first build's has: tables, indexes, an unmoved
    /// checkpoint.
    void copy_form(std::string const& projection, build_id which) const {
        auto const path = read_model_path(db_path_, projection, which);
        auto const made = sql::open_sqlite(path, {});
        sql::transaction turn{*made, sql::connection::access::write};
        auto const there =
            made->query_one("SELECT 1 FROM sqlite_master WHERE name = 'projection_checkpoints'", {},
                            [](sql::row const&) { return true; });
        if (there) return;
        auto const first = sql::open_sqlite(read_model_path(db_path_, projection, which.version), {});
        first->query(
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' "
            "AND tbl_name <> 'schema_migrations' ORDER BY CASE type WHEN 'table' THEN 0 ELSE 1 END, rowid",
            {}, [&](sql::row const& r) { made->execute(r.text(0)); });
        made->execute(
            "INSERT INTO projection_checkpoints (name, version, active, epoch, position, updated_at) "
            "VALUES ($1, $2, 0, 0, 0, $3)",
            {projection, std::int64_t{which.version}, eventlog::timestamp{}});
        turn.commit();
    }

    std::string db_path_;
    lifetime rows_;
    std::string control_path_;
    reader_pool control_;
    std::mutex mutex_;
    std::map<std::pair<std::string, build_id>, known_pool> pools_;
};

}  // namespace

std::string read_model_path(std::string const& db_path, std::string const& projection, build_id which) {
    return stem_of(db_path) + "." + projection + "-v" + to_string(which) + std::string{extension};
}

std::unique_ptr<read_store> create_sqlite_read_store(std::string const& db_path, lifetime rows) {
    return std::make_unique<sqlite_read_store>(db_path, rows);
}

}  // namespace linkledger::projections
