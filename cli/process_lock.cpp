#include "cli/process_lock.h"

#include "eventlog/sql/connection.h"
#include "eventlog/sql/file_lock.h"

#include <utility>

namespace linkledger::cli {

namespace {

/// `flock` beside the log's file.
class file_lock final : public process_lock {
public:
    explicit file_lock(sql::file_lock held) : held_(std::move(held)) {}

private:
    sql::file_lock held_;
};

/// An advisory lock of a session of its own.
class session_lock final : public process_lock {
public:
    explicit session_lock(std::unique_ptr<sql::connection> session) : session_(std::move(session)) {}

private:
    std::unique_ptr<sql::connection> session_;
};

std::unique_ptr<process_lock> lock_file(std::string const& path) {
    if (auto held = sql::try_lock_file(path)) return std::make_unique<file_lock>(std::move(*held));
    return nullptr;
}

}  // namespace

std::unique_ptr<process_lock> try_process_lock(configuration const& from, std::string const& what) {
    if (!from.on_postgresql()) return lock_file(from.db_path + "." + what + ".lock");
    sql::postgres_options options;
    options.url = from.database_url;
    auto session = sql::open_postgres(options);
    // Advisory locks belong to the database; the schema keeps two installations in one apart.
    auto const locked = session->query_one(
        "SELECT pg_try_advisory_lock(hashtextextended('linkledger ' || current_schema() || ' ' || $1, 0))",
        {what}, [](sql::row const& r) { return r.boolean(0); });
    if (!locked.value_or(false)) return nullptr;
    return std::make_unique<session_lock>(std::move(session));
}

}  // namespace linkledger::cli
