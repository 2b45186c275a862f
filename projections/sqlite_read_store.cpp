// Read models in SQLite: a file per projection version beside the log's.

#include "projections/read_store.h"
#include "projections/reader_pool.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>

namespace linkledger::projections {
namespace {

/// The version that reads are answered from.
constexpr int active_version = 1;
constexpr std::size_t readers_per_file = 4;

/// `flock` on a file beside the database; the kernel gives it up when the process dies.
class file_lock final : public writer_lock {
public:
    explicit file_lock(int descriptor) : descriptor_(descriptor) {}
    ~file_lock() override { ::close(descriptor_); }
    file_lock(file_lock const&) = delete;
    file_lock& operator=(file_lock const&) = delete;

private:
    int descriptor_;
};

class sqlite_read_store final : public read_store {
public:
    explicit sqlite_read_store(std::string db_path) : db_path_(std::move(db_path)) {}

    [[nodiscard]] sql::dialect dialect() const override { return sql::dialect::sqlite; }

    std::unique_ptr<sql::connection> open_writer(std::string const& projection, int version) override {
        sql::sqlite_options options;
        options.synchronous = sql::sqlite_options::sync::normal;
        auto writer = sql::open_sqlite(read_model_path(db_path_, projection, version), options);
        // Clicks of many links dirty a page each. With 64 MB of WAL between its checkpoints a page is written
        // back once for many batches, and the syncs of a checkpoint seldom compete with those of the log.
        writer->execute_script(
            "PRAGMA wal_autocheckpoint=16000; PRAGMA cache_size=-16384; PRAGMA temp_store=2;");
        return writer;
    }

    std::unique_ptr<writer_lock> try_lock(std::string const& projection, int version,
                                          sql::connection& /*writer*/) override {
        std::string const path = read_model_path(db_path_, projection, version) + ".lock";
        int const descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (descriptor < 0)
            throw sql::error{sql::error::kind::unavailable,
                             "cannot open " + path + ": " + std::strerror(errno)};
        if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return std::make_unique<file_lock>(descriptor);
        ::close(descriptor);
        return nullptr;
    }

    void read(std::string const& projection, std::function<void(snapshot const&)> const& work) override {
        pool_of(projection).read([&](sql::connection& rows) {
            auto const position =
                rows.query_one("SELECT position FROM projection_checkpoints WHERE name = $1 AND active = 1",
                               {projection}, [](sql::row const& r) { return r.integer(0); });
            work({rows, position.value_or(0)});
        });
    }

private:
    reader_pool& pool_of(std::string const& projection) {
        std::lock_guard const lock{mutex_};
        auto& pool = pools_[projection];
        if (!pool) {
            auto const path = read_model_path(db_path_, projection, active_version);
            pool = std::make_unique<reader_pool>(
                [path] {
                    sql::sqlite_options options;
                    options.read_only = true;
                    options.synchronous = sql::sqlite_options::sync::normal;
                    return sql::open_sqlite(path, options);
                },
                readers_per_file);
        }
        return *pool;
    }

    std::string db_path_;
    std::mutex mutex_;
    std::map<std::string, std::unique_ptr<reader_pool>> pools_;
};

}  // namespace

std::string read_model_path(std::string const& db_path, std::string const& projection, int version) {
    constexpr std::string_view extension = ".db";
    std::string stem = db_path;
    if (stem.ends_with(extension)) stem.resize(stem.size() - extension.size());
    return stem + "." + projection + "-v" + std::to_string(version) + std::string{extension};
}

std::unique_ptr<read_store> create_sqlite_read_store(std::string const& db_path) {
    return std::make_unique<sqlite_read_store>(db_path);
}

}  // namespace linkledger::projections
