#include "projections/replay_file.h"

#include "eventlog/crypto.h"
#include "eventlog/sql/connection.h"

#include <spdlog/spdlog.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string_view>

namespace linkledger::projections {
namespace {

struct schema_object {
    std::string type;
    std::string name;
    std::string sql;
};

/// Of the attached file `part`; tables first, indexes after.
std::vector<schema_object> objects_of(sql::connection& in) {
    return in.query_all(
        "SELECT type, name, sql FROM part.sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' "
        "AND name <> 'schema_migrations' AND type IN ('table', 'index') ORDER BY type DESC, name",
        {}, [](sql::row const& r) {
            return schema_object{r.text(0), r.text(1), r.text(2)};
        });
}

bool is_shared(std::string_view table) {
    return table == "projection_checkpoints" || table == "parked_events";
}

/// `links` of `links_v1`; empty where there is no version.
std::string plain_name(std::string const& table) {
    auto const end = table.rfind("_v");
    bool const versioned = end != std::string::npos && end + 2 < table.size() &&
                           table.find_first_not_of("0123456789", end + 2) == std::string::npos;
    return versioned ? table.substr(0, end) : std::string{};
}

void sync(std::string const& path, int flags) {
    int const file = ::open(path.c_str(), flags | O_CLOEXEC);
    bool const synced = file >= 0 && ::fsync(file) == 0;
    if (file >= 0) ::close(file);
    if (!synced) throw sql::error{sql::error::kind::unavailable, path + " cannot be sent to the disk"};
}

/// Nobody sees the file before it is whole, and it is synced then.
std::unique_ptr<sql::connection> open_alone(std::string const& path) {
    sql::sqlite_options options;
    options.synchronous = sql::sqlite_options::sync::normal;
    auto file = sql::open_sqlite(path, options);
    file->execute_script("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536;");
    return file;
}

void leave_wal_mode(std::string const& path) {
    auto const file = open_alone(path);
    auto const mode = file->query_one("PRAGMA journal_mode", {}, [](sql::row const& r) { return r.text(0); });
    if (mode == "wal") throw sql::error{sql::error::kind::unavailable, path + " is in use"};
}

class replay_file {
public:
    /// Takes `base` over.
    replay_file(std::string const& base, std::string const& path) : path_(path) {
        for (auto const* const suffix : {"", "-wal", "-shm", "-journal"})
            std::filesystem::remove(path_ + suffix);
        leave_wal_mode(base);
        std::filesystem::rename(base, path_);
        file_ = open_alone(path_);
        file_->execute("DROP TABLE IF EXISTS schema_migrations");
        file_->query("SELECT name FROM sqlite_master WHERE type = 'table'", {},
                     [&](sql::row const& r) { add_table(r.text(0)); });
        for (auto const& table : tables_) show(table, count(table));
    }

    void add(std::string const& part) {
        file_->execute("ATTACH DATABASE $1 AS part", {part});
        auto const objects = objects_of(*file_);
        // With the same indexes on both sides SQLite copies them as they are, which is faster than making
        // them.
        for (auto const& object : objects) {
            bool const is_there = is_shared(object.name) && tables_.contains(object.name);
            if (!is_there) file_->execute(object.sql);
        }
        for (auto const& object : objects) {
            if (object.type != "table") continue;
            auto const rows =
                file_->execute("INSERT INTO main." + object.name + " SELECT * FROM part." + object.name);
            if (add_table(object.name)) show(object.name, rows);
        }
        file_->execute("DETACH DATABASE part");
    }

    void describe(eventlog::log_head const& log, replay_options const& options,
                  std::optional<eventlog::timestamp> recorded_at) {
        file_->execute(
            "CREATE TABLE replay (log_id TEXT NOT NULL, epoch INTEGER NOT NULL, position INTEGER NOT NULL, "
            "recorded_at TEXT, asked_for TEXT NOT NULL, made_at TEXT NOT NULL, linkledger TEXT NOT NULL, "
            "checkpoint TEXT) STRICT");
        std::optional<std::string> checkpoint;
        if (!options.checkpoint.empty()) checkpoint = options.checkpoint;
        file_->execute("INSERT INTO replay VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                       {log.log_id, log.epoch, options.until, sql::bind(recorded_at), options.asked,
                        eventlog::now(), options.program, sql::bind(checkpoint)});
    }

    replay_outcome finish() {
        replay_outcome made;
        made.rows = rows_;
        made.parked = count("parked_events");
        file_->query("PRAGMA journal_mode=DELETE", {}, [](sql::row const&) {});
        file_.reset();
        spdlog::debug("replay: the file is whole");
        sync(path_, O_RDWR);
        return made;
    }

private:
    /// False: it was there.
    bool add_table(std::string const& name) {
        return !name.starts_with("sqlite_") && tables_.insert(name).second;
    }
    void show(std::string const& table, std::int64_t rows) {
        if (is_shared(table)) return;
        rows_ += rows;
        auto const plain = plain_name(table);
        if (!plain.empty()) file_->execute("CREATE VIEW " + plain + " AS SELECT * FROM " + table);
    }
    std::int64_t count(std::string const& table) {
        return file_
            ->query_one("SELECT count(*) FROM " + table, {}, [](sql::row const& r) { return r.integer(0); })
            .value_or(0);
    }

    std::string path_;
    std::unique_ptr<sql::connection> file_;
    std::set<std::string> tables_;
    std::int64_t rows_ = 0;
};

/// Of the last event that a projection moved past.
std::optional<eventlog::timestamp> newest_time(std::string const& file,
                                               std::optional<eventlog::timestamp> so_far) {
    sql::sqlite_options options;
    options.read_only = true;
    auto const part = sql::open_sqlite(file, options);
    part->query("SELECT recorded_at FROM projection_checkpoints", {}, [&](sql::row const& r) {
        auto const at = r.time_or_null(0);
        if (at && (!so_far || *at > *so_far)) so_far = at;
    });
    return so_far;
}

}  // namespace

replay_outcome make_replay_file(std::vector<std::string> parts, std::string const& to,
                                eventlog::log_head const& log, replay_options const& options) {
    std::optional<eventlog::timestamp> recorded_at;
    for (auto const& part : parts) recorded_at = newest_time(part, recorded_at);
    auto const size_of = [](std::string const& path) { return std::filesystem::file_size(path); };
    auto const base = std::max_element(parts.begin(), parts.end(),
                                       [&](auto const& a, auto const& b) { return size_of(a) < size_of(b); });
    replay_file made{*base, to};
    for (auto const& part : parts)
        if (part != *base) made.add(part);
    made.describe(log, options, recorded_at);
    return made.finish();
}

void sync_folder(std::string const& path) {
    sync(path.empty() ? "." : path, O_RDONLY | O_DIRECTORY);
}

}  // namespace linkledger::projections
