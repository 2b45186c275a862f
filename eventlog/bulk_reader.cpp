// Bulk reads through the port, and from SQLite.

#include "eventlog/bulk_reader.h"

#include "eventlog/sql/sqlite_handle.h"
#include "eventlog/sqlite_click_directory.h"

#include <algorithm>
#include <optional>

namespace linkledger::eventlog {
namespace {

using sql::sqlite::statement;

constexpr std::size_t page_events = 4'000;
constexpr char const* mapping = "PRAGMA mmap_size=2147418112";

class port_reader final : public bulk_reader {
public:
    explicit port_reader(event_log& log) : log_(log) {}

    result<void> read(bulk_query const& query, std::function<void(recorded_event&)> const& each) override {
        read_query page;
        page.after = query.after;
        page.until = query.until;
        page.limit = page_events;
        page.types = query.types;
        while (page.after < query.until) {
            BOOST_OUTCOME_TRY(auto found, log_.read(page));
            for (auto& event : found.events) each(event);
            if (found.scanned_to <= page.after)
                return failure{failure_code::corrupted, "the log ends before where it is read to"};
            page.after = found.scanned_to;
        }
        return boost::outcome_v2::success();
    }

private:
    event_log& log_;
};

/// Zeros for what is not read, or of another length.
template <typename Bytes>
void copy_or_clear(std::string_view from, Bytes& to) {
    if (from.size() == to.size())
        std::copy(from.begin(), from.end(), to.begin());
    else
        to = {};
}

/// Columns stand in the order of the table, so that SQLite decodes a row once from front to back.
std::string select_of(bulk_query const& query) {
    std::string text = "SELECT position, ";
    text += query.fields.stream ? "version" : "0";
    text += ", recorded_at, occurred_at, schema_version, event_id, ";
    text += query.fields.workspace ? "workspace_id, type" : "x'', type";
    text += query.fields.stream ? ", stream" : ", ''";
    text += query.fields.leaf ? ", salt, leaf_hash" : ", x'', x''";
    text += query.fields.personal ? ", personal_key_id" : ", x''";
    text += query.fields.cause ? ", context_key_id, data" : ", x'', data";
    text += query.fields.cause ? ", metadata" : ", ''";
    text += query.fields.personal ? ", personal" : ", x''";
    text += query.fields.cause ? ", context" : ", x''";
    text += " FROM events WHERE position > ? AND position <= ?";
    bool const without_clicks = !query.types.empty() && std::find(query.types.begin(), query.types.end(),
                                                                  click_type) == query.types.end();
    // The words of the partial index that leaves clicks out.
    if (without_clicks) text += " AND type <> 'link.clicked'";
    return text + " ORDER BY position";
}

class sqlite_bulk_reader final : public bulk_reader {
public:
    sqlite_bulk_reader(std::string path, bool map) : path_(std::move(path)), map_(map) {}

    result<void> read(bulk_query const& query, std::function<void(recorded_event&)> const& each) override {
        try {
            if (!file_) {
                sql::sqlite_options options;
                options.read_only = true;
                file_ = sql::sqlite::open(path_, options);
                // Pages are looked at where they lie, rather than copied by a call each.
                if (map_) sql::sqlite::run(file_.get(), mapping);
            }
            run(query, each);
            return boost::outcome_v2::success();
        } catch (sql::error const& failed) {
            file_.reset();
            return failure{failure_code::unavailable, failed.what()};
        }
    }

private:
    void run(bulk_query const& query, std::function<void(recorded_event&)> const& each) {
        statement rows{file_.get(), select_of(query)};
        rows.bind(1, query.after);
        rows.bind(2, query.until);
        recorded_event event;
        while (rows.step()) {
            auto const type = rows.text(7);
            if (!query.types.empty() &&
                std::find(query.types.begin(), query.types.end(), type) == query.types.end())
                continue;
            event.position = rows.integer(0);
            event.version = rows.integer(1);
            event.recorded_at = domain::from_unix_us(rows.integer(2));
            auto& body = event.body;
            body.occurred_at = domain::from_unix_us(rows.integer(3));
            body.schema_version = static_cast<int>(rows.integer(4));
            copy_or_clear(rows.bytes(5), body.event_id.bytes);
            copy_or_clear(rows.bytes(6), body.workspace_id.bytes);
            body.type.assign(type);
            event.stream.assign(rows.text(8));
            copy_or_clear(rows.bytes(9), body.salt);
            copy_or_clear(rows.bytes(10), event.leaf_hash);
            copy_or_clear(rows.bytes(11), body.personal.key_id.bytes);
            copy_or_clear(rows.bytes(12), body.context.key_id.bytes);
            body.data.assign(rows.text(13));
            body.metadata.assign(rows.text(14));
            body.personal.bytes.assign(rows.bytes(15));
            body.context.bytes.assign(rows.bytes(16));
            each(event);
        }
    }

    std::string path_;
    bool map_;
    sql::sqlite::handle file_;
};

}  // namespace

std::unique_ptr<bulk_reader> create_bulk_reader(event_log& log) {
    return std::make_unique<port_reader>(log);
}

std::unique_ptr<bulk_reader> create_sqlite_bulk_reader(std::string const& path, bool map) {
    return std::make_unique<sqlite_bulk_reader>(path, map);
}

}  // namespace linkledger::eventlog
