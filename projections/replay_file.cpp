#include "projections/replay_file.h"

#include "eventlog/crypto.h"
#include "projections/read_store.h"
#include "projections/registry.h"

#include <filesystem>
#include <set>
#include <string_view>
#include <vector>

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

class replay_file {
public:
    explicit replay_file(std::string const& path) : path_(path) {
        for (auto const* const suffix : {"", "-wal", "-shm", "-journal"})
            std::filesystem::remove(path_ + suffix);
        sql::sqlite_options options;
        options.synchronous = sql::sqlite_options::sync::normal;
        file_ = sql::open_sqlite(path_, options);
        // Nobody sees it before it is whole, and then it is synced under its name.
        file_->execute_script("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536;");
    }

    void add(std::string const& part) {
        file_->execute("ATTACH DATABASE $1 AS part", {part});
        std::vector<std::string> indexes;
        for (auto const& object : objects_of(*file_)) {
            if (object.type == "index") {
                indexes.push_back(object.sql);
                continue;
            }
            if (!is_shared(object.name) || shared_.insert(object.name).second) file_->execute(object.sql);
            copied_ +=
                file_->execute("INSERT INTO main." + object.name + " SELECT * FROM part." + object.name);
            auto const plain = plain_name(object.name);
            if (!plain.empty()) file_->execute("CREATE VIEW " + plain + " AS SELECT * FROM " + object.name);
        }
        // An index is made faster of a table that is there than with it.
        for (auto const& index : indexes) file_->execute(index);
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
        made.rows = copied_;
        made.parked = file_
                          ->query_one("SELECT count(*) FROM parked_events", {},
                                      [](sql::row const& r) { return r.integer(0); })
                          .value_or(0);
        file_->query("PRAGMA journal_mode=DELETE", {}, [](sql::row const&) {});
        file_.reset();
        return made;
    }

private:
    std::string path_;
    std::unique_ptr<sql::connection> file_;
    std::set<std::string> shared_;
    std::int64_t copied_ = 0;
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

replay_outcome make_replay_file(read_store& store, std::string const& files, std::string const& to,
                                eventlog::log_head const& log, replay_options const& options) {
    replay_file made{to};
    std::optional<eventlog::timestamp> recorded_at;
    for (auto const& name : projection_names()) {
        build_id live;
        store.read(name, [&](snapshot const& now) { live = now.build; });
        auto const part = read_model_path(files, name, live);
        made.add(part);
        recorded_at = newest_time(part, recorded_at);
    }
    made.describe(log, options, recorded_at);
    return made.finish();
}

}  // namespace linkledger::projections
