#include "eventlog/sqlite_reader.h"

#include "eventlog/bytes.h"
#include "eventlog/stream_order.h"

#include <algorithm>
#include <utility>

namespace linkledger::eventlog {

namespace {

using sql::sqlite::copy_bytes;
using sql::sqlite::reset_guard;
using sql::sqlite::statement;

constexpr std::size_t kept_statements_max = 64;
/// How many events of a stream with clicks are looked up at once.
constexpr std::size_t places_at_once = 1'024;

/// In the order of the table, so that SQLite decodes a row once from front to back.
constexpr std::string_view event_columns =
    "SELECT position, version, recorded_at, occurred_at, schema_version, event_id, workspace_id, type, "
    "stream, "
    "salt, leaf_hash, personal_key_id, context_key_id, data, metadata, personal, context FROM events ";

/// NULL is the nil UUID.
void copy_uuid(std::string_view from, uuid& to) {
    if (!from.empty()) copy_bytes(from, to.bytes);
}

void read_event(statement const& row, recorded_event& into) {
    into.position = row.integer(0);
    into.version = row.integer(1);
    into.recorded_at = domain::from_unix_us(row.integer(2));
    auto& body = into.body;
    body.occurred_at = domain::from_unix_us(row.integer(3));
    body.schema_version = static_cast<int>(row.integer(4));
    copy_bytes(row.bytes(5), body.event_id.bytes);
    copy_uuid(row.bytes(6), body.workspace_id);
    body.type = row.text(7);
    into.stream = row.text(8);
    copy_bytes(row.bytes(9), body.salt);
    copy_bytes(row.bytes(10), into.leaf_hash);
    copy_uuid(row.bytes(11), body.personal.key_id);
    copy_uuid(row.bytes(12), body.context.key_id);
    body.data = row.text(13);
    body.metadata = row.text(14);
    body.personal.bytes = row.bytes(15);
    body.context.bytes = row.bytes(16);
}

std::vector<recorded_event> read_events(statement& rows, std::size_t expected) {
    std::vector<recorded_event> events;
    events.reserve(std::min<std::size_t>(expected, 1024));
    while (rows.step()) read_event(rows, events.emplace_back());
    return events;
}

std::int64_t bounded(std::size_t limit) {
    return static_cast<std::int64_t>(std::min<std::size_t>(limit, 1u << 30));
}

bool contains(std::vector<std::string> const& list, std::string_view text) {
    return std::find(list.begin(), list.end(), text) != list.end();
}

/// True when no click can match: then the partial indexes that leave clicks out are the way.
bool leaves_clicks_out(read_query const& query) {
    return contains(query.excluded_types, click_type) ||
           (!query.types.empty() && !contains(query.types, click_type));
}

bool one_workspace(read_query const& query) {
    return query.workspace_id && !query.workspace_id->is_nil();
}

/// The values of a filtered read, in the order in which the statement's text mentions them.
struct filter {
    std::string text;
    std::vector<std::variant<std::int64_t, std::string_view>> values;
    std::vector<bool> is_bytes;

    void add(std::string_view condition, std::int64_t value) { add_value(condition, value, false); }
    void add(std::string_view condition, std::string_view value) { add_value(condition, value, false); }
    void add_bytes(std::string_view condition, std::string_view value) { add_value(condition, value, true); }
    void add_list(std::string_view before, std::vector<std::string> const& list) {
        if (list.empty()) return;
        text += before;
        for (std::size_t i = 0; i < list.size(); ++i) add(i == 0 ? "(?" : ", ?", std::string_view{list[i]});
        text += ")";
    }
    void bind(statement& to) const {
        for (std::size_t i = 0; i < values.size(); ++i) {
            int const at = static_cast<int>(i) + 1;
            if (auto const* number = std::get_if<std::int64_t>(&values[i]))
                to.bind(at, *number);
            else if (is_bytes[i])
                to.bind_bytes(at, std::get<std::string_view>(values[i]));
            else
                to.bind_text(at, std::get<std::string_view>(values[i]));
        }
    }

private:
    void add_value(std::string_view condition, std::variant<std::int64_t, std::string_view> value,
                   bool bytes) {
        text += condition;
        values.push_back(value);
        is_bytes.push_back(bytes);
    }
};

/// What a query asks for beyond its range. The index is named, since SQLite has no figures to choose by.
void add_narrowing(filter& to, read_query const& query, bool without_clicks) {
    if (without_clicks) to.text += " AND type <> 'link.clicked'";
    if (one_workspace(query)) to.add_bytes(" AND workspace_id = ?", view_of(*query.workspace_id));
    to.add_list(" AND type IN ", query.types);
    to.add_list(" AND type NOT IN ", query.excluded_types);
}

std::string_view index_for(read_query const& query, bool without_clicks) {
    if (!without_clicks) return "NOT INDEXED";
    return one_workspace(query) ? "INDEXED BY events_workspace" : "INDEXED BY events_but_clicks";
}

bool matches(recorded_event const& event, read_query const& query) {
    return (!one_workspace(query) || event.body.workspace_id == *query.workspace_id) &&
           (query.types.empty() || contains(query.types, event.body.type)) &&
           !contains(query.excluded_types, event.body.type);
}

version saturated_sum(version after, std::int64_t count) {
    return after > std::numeric_limits<version>::max() - count ? std::numeric_limits<version>::max()
                                                               : after + count;
}

}  // namespace

/// One state of the log for several statements.
class sqlite_reader::snapshot {
public:
    explicit snapshot(sqlite_reader& of) : of_(of) { of_.prepare("BEGIN").run(); }
    ~snapshot() { sqlite3_exec(of_.handle_.get(), "COMMIT", nullptr, nullptr, nullptr); }
    snapshot(snapshot const&) = delete;
    snapshot& operator=(snapshot const&) = delete;

private:
    sqlite_reader& of_;
};

sqlite_reader::sqlite_reader(sqlite_log_options const& options) {
    sql::sqlite_options connection;
    connection.busy_timeout = options.call_timeout;
    connection.vfs = options.vfs;
    handle_ = sql::sqlite::open(options.path, connection);
    sql::sqlite::run(handle_.get(), "PRAGMA query_only=ON; PRAGMA wal_autocheckpoint=0;");
    clicks_.emplace(handle_.get());
}

statement& sqlite_reader::prepare(std::string const& sql) {
    if (auto const found = statements_.find(sql); found != statements_.end()) return found->second;
    if (statements_.size() >= kept_statements_max) statements_.clear();
    return statements_.emplace(sql, statement{handle_.get(), sql}).first->second;
}

log_head sqlite_reader::head() {
    auto& row = prepare("SELECT log_id, epoch, last, recorded_at FROM log_head");
    reset_guard const guard{row};
    if (!row.step()) throw sql::error{sql::error::kind::other, "log_head has no row"};
    log_head head;
    copy_bytes(row.bytes(0), head.log_id.bytes);
    head.epoch = row.integer(1);
    head.last = row.integer(2);
    head.recorded_at = domain::from_unix_us(row.integer(3));
    return head;
}

position sqlite_reader::last() {
    auto& row = prepare("SELECT last FROM log_head");
    reset_guard const guard{row};
    return row.step() ? row.integer(0) : 0;
}

read_page sqlite_reader::read(read_query const& query) {
    snapshot const one{*this};
    auto page = matching(query);
    if (page.events.size() < query.limit)
        page.scanned_to = std::max(std::min(page.scanned_to, last()), query.after);
    else
        page.scanned_to = page.events.empty() ? query.after : page.events.back().position;
    return page;
}

/// `scanned_to` is how far the search came, which may be beyond the head.
read_page sqlite_reader::matching(read_query const& query) {
    bool const without_clicks = leaves_clicks_out(query);
    if (!query.stream.empty()) {
        auto const stream = find_stream(query.stream);
        if (!stream) return {{}, query.until};
        bool const clicks = stream->clicks && !without_clicks;
        return {clicks ? of_stream_with_clicks(query, *stream) : of_stream(query, *stream), query.until};
    }
    if (one_workspace(query) && !without_clicks) return of_workspace_with_clicks(query);
    return {of_log(query, without_clicks), query.until};
}

std::vector<recorded_event> sqlite_reader::of_log(read_query const& query, bool without_clicks) {
    filter chosen{std::string{event_columns}, {}, {}};
    chosen.text += index_for(query, without_clicks);
    chosen.add(" WHERE position > ?", query.after);
    chosen.add(" AND position <= ?", query.until);
    add_narrowing(chosen, query, without_clicks);
    chosen.add(" ORDER BY position LIMIT ?", bounded(query.limit));
    auto& rows = prepare(chosen.text);
    reset_guard const guard{rows};
    chosen.bind(rows);
    return read_events(rows, query.limit);
}

std::vector<digest> sqlite_reader::read_leaf_hashes(position after, std::size_t limit) {
    auto& rows = prepare(
        "SELECT position, leaf_hash FROM events NOT INDEXED WHERE position > ? ORDER BY position LIMIT ?");
    reset_guard const guard{rows};
    position next = std::max<position>(after, 0);
    rows.bind(1, next);
    rows.bind(2, bounded(limit));
    std::vector<digest> hashes;
    while (rows.step()) {
        if (rows.integer(0) != ++next)
            throw sql::error{sql::error::kind::other,
                             "position " + std::to_string(next) + " is missing in the log"};
        copy_bytes(rows.bytes(1), hashes.emplace_back());
    }
    return hashes;
}

/// Without its clicks, should it have any.
std::vector<recorded_event> sqlite_reader::of_stream(read_query const& query, known_stream const& stream) {
    filter chosen{std::string{event_columns}, {}, {}};
    chosen.add("INDEXED BY events_stream WHERE stream_number = ?", stream.number);
    chosen.add(" AND version >= ?", first_version_after(stream.number, query.after));
    chosen.add(" AND position <= ?", query.until);
    add_narrowing(chosen, query, true);
    chosen.add(" ORDER BY version LIMIT ?", bounded(query.limit));
    auto& rows = prepare(chosen.text);
    reset_guard const guard{rows};
    chosen.bind(rows);
    return read_events(rows, query.limit);
}

std::vector<recorded_event> sqlite_reader::of_stream_with_clicks(read_query const& query,
                                                                 known_stream const& stream) {
    std::vector<recorded_event> events;
    version after = clicks_->version_not_after(stream.number, query.after);
    while (events.size() < query.limit) {
        auto const next = places(stream, after, places_at_once);
        for (auto const& place : next) {
            if (place.position > query.until) return events;
            if (place.position <= query.after) continue;
            if (auto event = at(place.position); matches(event, query)) events.push_back(std::move(event));
            if (events.size() == query.limit) return events;
        }
        if (next.size() < places_at_once) break;
        after = next.back().version;
    }
    return events;
}

read_page sqlite_reader::of_workspace_with_clicks(read_query const& query) {
    auto const clicks = clicks_->of_workspace(*query.workspace_id, query.after, query.until, query.limit);
    auto const others = others_of_workspace(query, clicks.searched_to);
    std::vector<position> both;
    std::merge(clicks.positions.begin(), clicks.positions.end(), others.begin(), others.end(),
               std::back_inserter(both));
    if (both.size() > query.limit) both.resize(query.limit);
    read_page page{{}, clicks.searched_to};
    page.events.reserve(both.size());
    for (position const where : both) page.events.push_back(at(where));
    return page;
}

std::vector<position> sqlite_reader::others_of_workspace(read_query const& query, position until) {
    filter chosen{"SELECT position FROM events INDEXED BY events_workspace", {}, {}};
    chosen.add(" WHERE position > ?", query.after);
    chosen.add(" AND position <= ?", until);
    add_narrowing(chosen, query, true);
    chosen.add(" ORDER BY position LIMIT ?", bounded(query.limit));
    auto& rows = prepare(chosen.text);
    reset_guard const guard{rows};
    chosen.bind(rows);
    std::vector<position> found;
    while (rows.step()) found.push_back(rows.integer(0));
    return found;
}

recorded_event sqlite_reader::at(position where) {
    auto& row = prepare(std::string{event_columns} + "WHERE position = ?");
    reset_guard const guard{row};
    row.bind(1, where);
    if (!row.step()) throw sql::error{sql::error::kind::other, "the log lacks an event that it is to have"};
    recorded_event event;
    read_event(row, event);
    return event;
}

std::optional<sqlite_reader::known_stream> sqlite_reader::find_stream(std::string const& stream) {
    auto& row = prepare("SELECT number, holds FROM streams WHERE stream = ?");
    reset_guard const guard{row};
    row.bind_text(1, stream);
    if (!row.step()) return std::nullopt;
    return known_stream{row.integer(0), (row.integer(1) & 1) != 0, (row.integer(1) & 2) != 0};
}

/// The next events of a stream by version, `limit` at most. Versions have no holes, so that many versions on
/// from `after` there are as many events, of whichever kind.
std::vector<event_place> sqlite_reader::places(known_stream const& stream, version after, std::size_t limit) {
    version const until = saturated_sum(after, bounded(limit));
    auto clicks =
        stream.clicks ? clicks_->of_stream(stream.number, after, until) : std::vector<event_place>{};
    if (!stream.others) return clicks;
    auto& rows = prepare(
        "SELECT version, position FROM events INDEXED BY events_stream WHERE stream_number = ? "
        "AND version > ? AND version <= ? AND type <> 'link.clicked' ORDER BY version");
    reset_guard const guard{rows};
    rows.bind(1, stream.number);
    rows.bind(2, after);
    rows.bind(3, until);
    std::vector<event_place> others, both;
    while (rows.step()) others.push_back({rows.integer(0), rows.integer(1)});
    std::merge(clicks.begin(), clicks.end(), others.begin(), others.end(), std::back_inserter(both),
               [](event_place const& a, event_place const& b) { return a.version < b.version; });
    return both;
}

version sqlite_reader::newest_but_clicks(std::int64_t stream_number) {
    auto& row = prepare(
        "SELECT max(version) FROM events INDEXED BY events_stream WHERE stream_number = ? "
        "AND type <> 'link.clicked'");
    reset_guard const guard{row};
    row.bind(1, stream_number);
    return row.step() ? row.integer(0) : 0;  // NULL reads as 0.
}

/// Positions rise with versions, so the first version beyond a position is found by halving. Versions of
/// clicks are passed over.
version sqlite_reader::first_version_after(std::int64_t stream_number, position after) {
    if (after <= 0) return 1;
    version low = 1;
    version high = newest_but_clicks(stream_number) + 1;
    auto& from = prepare(
        "SELECT version, position FROM events INDEXED BY events_stream WHERE stream_number = ? "
        "AND version >= ? AND type <> 'link.clicked' ORDER BY version LIMIT 1");
    while (low < high) {
        version const middle = low + (high - low) / 2;
        reset_guard const guard{from};
        from.bind(1, stream_number);
        from.bind(2, middle);
        if (from.step() && from.integer(1) <= after)
            low = from.integer(0) + 1;
        else
            high = middle;
    }
    return low;
}

std::vector<recorded_event> sqlite_reader::read_stream(std::string const& stream, version after,
                                                       std::size_t limit) {
    snapshot const one{*this};
    auto const known = find_stream(stream);
    if (!known) return {};
    if (known->clicks) {
        std::vector<recorded_event> events;
        for (auto const& place : places(*known, after, limit)) events.push_back(at(place.position));
        require_in_order(events, stream, after);
        return events;
    }
    auto& rows = prepare(std::string{event_columns} +
                         "INDEXED BY events_stream WHERE stream_number = ? AND version > ? "
                         "AND type <> 'link.clicked' ORDER BY version LIMIT ?");
    reset_guard const guard{rows};
    rows.bind(1, known->number);
    rows.bind(2, after);
    rows.bind(3, bounded(limit));
    auto events = read_events(rows, limit);
    require_in_order(events, stream, after);
    return events;
}

version sqlite_reader::stream_version(std::string const& stream) {
    snapshot const one{*this};
    auto const known = find_stream(stream);
    if (!known) return 0;
    version const others = known->others ? newest_but_clicks(known->number) : 0;
    return std::max(others, known->clicks ? clicks_->newest(known->number) : 0);
}

std::optional<std::string> sqlite_reader::claim_owner(std::string const& scope, std::string const& key) {
    auto& row = prepare("SELECT owner FROM claims WHERE scope = ? AND key = ?");
    reset_guard const guard{row};
    row.bind_text(1, scope);
    row.bind_text(2, key);
    if (!row.step()) return std::nullopt;
    return std::string{row.text(0)};
}

std::vector<std::optional<stored_response>> sqlite_reader::find_responses(std::vector<digest> const& ids) {
    snapshot const one{*this};
    auto& row =
        prepare("SELECT fingerprint, last_position, primary_version, response FROM idempotency WHERE id = ?");
    std::vector<std::optional<stored_response>> found(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) {
        reset_guard const guard{row};
        row.bind_bytes(1, view_of(ids[i]));
        if (!row.step()) continue;
        auto& stored = found[i].emplace();
        copy_bytes(row.bytes(0), stored.fingerprint);
        stored.answer = {row.integer(1), row.integer(2), std::string{row.bytes(3)}};
    }
    return found;
}

std::optional<stored_key> sqlite_reader::find_key(std::string const& subject) {
    auto& row = prepare("SELECT key_id, wrapped FROM keys WHERE subject = ?");
    reset_guard const guard{row};
    row.bind_text(1, subject);
    if (!row.step()) return std::nullopt;
    stored_key key{{}, subject, std::string{row.bytes(1)}};
    copy_bytes(row.bytes(0), key.key_id.bytes);
    return key;
}

std::optional<stored_key> sqlite_reader::find_key(uuid const& key_id) {
    auto& row = prepare("SELECT subject, wrapped FROM keys WHERE key_id = ? AND subject IS NOT NULL");
    reset_guard const guard{row};
    row.bind_bytes(1, view_of(key_id));
    if (!row.step()) return std::nullopt;
    return stored_key{key_id, std::string{row.text(0)}, std::string{row.bytes(1)}};
}

std::vector<stored_key> sqlite_reader::list_keys(std::string const& prefix, std::string const& after,
                                                 std::size_t limit) {
    auto& row = prepare(
        "SELECT key_id, subject FROM keys WHERE subject >= ?1 AND subject < ?1 || char(0x10FFFF) "
        "AND subject > ?2 ORDER BY subject LIMIT ?3");
    reset_guard const guard{row};
    row.bind_text(1, prefix);
    row.bind_text(2, after);
    row.bind(3, static_cast<std::int64_t>(limit));
    std::vector<stored_key> found;
    while (row.step()) {
        copy_bytes(row.bytes(0), found.emplace_back().key_id.bytes);
        found.back().subject = row.text(1);
    }
    return found;
}

std::unique_ptr<sqlite_reader> sqlite_reader_pool::take() {
    {
        std::unique_lock lock{mutex_};
        bool const had = freed_.wait_for(lock, options_.call_timeout,
                                         [&] { return !free_.empty() || lent_ < options_.readers_max; });
        if (!had) throw sql::error{sql::error::kind::timeout, "all reading connections are busy"};
        ++lent_;
        if (!free_.empty()) {
            auto reader = std::move(free_.back());
            free_.pop_back();
            return reader;
        }
    }
    try {
        return std::make_unique<sqlite_reader>(options_);
    } catch (...) {
        give_back(nullptr);
        throw;
    }
}

void sqlite_reader_pool::give_back(std::unique_ptr<sqlite_reader> reader) {
    std::lock_guard const lock{mutex_};
    --lent_;
    if (reader) free_.push_back(std::move(reader));
    freed_.notify_one();
}

}  // namespace linkledger::eventlog
