#include "eventlog/postgres_rows.h"

#include "eventlog/bytes.h"
#include "eventlog/sql/binary_array.h"
#include "eventlog/stream_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>

namespace linkledger::eventlog {
namespace {

constexpr std::string_view columns =
    "position, version, recorded_us, occurred_us, schema_version, event_id, workspace_id, personal_key, "
    "context_key,"
    " stream, type, data, metadata, personal, context, salt, leaf_hash";

constexpr position search_window = 100'000;

template <std::size_t Size>
std::array<std::uint8_t, Size> fixed_bytes(sql::row const& from, int column) {
    std::string const bytes = from.bytes(column);
    std::array<std::uint8_t, Size> fixed;
    if (bytes.size() != Size)
        throw sql::error(sql::error::kind::other, "PostgreSQL: a hash of the wrong size");
    std::memcpy(fixed.data(), bytes.data(), Size);
    return fixed;
}

recorded_event read_event(sql::row const& from) {
    recorded_event event;
    event.position = from.integer(0);
    event.version = from.integer(1);
    event.recorded_at = domain::from_unix_us(from.integer(2));
    event.body.occurred_at = domain::from_unix_us(from.integer(3));
    event.body.schema_version = static_cast<int>(from.integer(4));
    event.body.event_id = from.id(5);
    event.body.workspace_id = from.id(6);
    event.body.personal.key_id = from.id(7);
    event.body.context.key_id = from.id(8);
    event.stream = from.text(9);
    event.body.type = from.text(10);
    event.body.data = from.text(11);
    event.body.metadata = from.text(12);
    event.body.personal.bytes = from.bytes(13);
    event.body.context.bytes = from.bytes(14);
    event.body.salt = fixed_bytes<std::tuple_size_v<salt>>(from, 15);
    event.leaf_hash = fixed_bytes<std::tuple_size_v<digest>>(from, 16);
    return event;
}

std::int64_t limit_of(std::size_t limit) {
    return static_cast<std::int64_t>(std::min<std::size_t>(limit, 1'000'000));
}

std::vector<recorded_event> collect(sql::connection& from, std::string const& sql,
                                    sql::parameters const& values, std::size_t expected) {
    std::vector<recorded_event> events;
    events.reserve(std::min<std::size_t>(expected, 4096));
    from.query(sql, values, [&](sql::row const& r) { events.push_back(read_event(r)); });
    return events;
}

/// `{"a","b"}`, for a text[] parameter.
std::string text_array(std::vector<std::string> const& texts) {
    std::string array = "{";
    for (auto const& each : texts) {
        array += array.size() == 1 ? "\"" : ",\"";
        for (char const c : each) {
            if (c == '"' || c == '\\') array += '\\';
            array += c;
        }
        array += '"';
    }
    return array + "}";
}

/// The conditions of a query as SQL, and their values.
class narrowing {
public:
    void add(std::string_view condition, sql::parameter value) {
        values_.push_back(std::move(value));
        where_ += fmt::format(fmt::runtime(condition), values_.size());
    }
    std::string const& where() const { return where_; }
    sql::parameters const& values() const { return values_; }

private:
    std::string where_;
    sql::parameters values_;
};

/// The query's events after `after` up to `bound`.
std::vector<recorded_event> read_events(sql::connection& from, read_query const& query, position after,
                                        position bound, std::size_t limit) {
    narrowing by;
    by.add("position > ${}", after);
    by.add(" AND position <= ${}", bound);
    if (!query.types.empty()) by.add(" AND type = ANY(${}::text[])", text_array(query.types));
    if (!query.excluded_types.empty())
        by.add(" AND type <> ALL(${}::text[])", text_array(query.excluded_types));
    if (query.workspace_id && !query.workspace_id->is_nil())
        by.add(" AND workspace_id = ${}", *query.workspace_id);
    if (!query.stream.empty())
        by.add(" AND stream_number = (SELECT number FROM streams WHERE stream = ${})", query.stream);
    // Within a stream, versions rise with positions, and there is an index by version.
    std::string const order = query.stream.empty() ? "position" : "version";
    std::string const where = by.where();
    by.add("${}", limit_of(limit));
    return collect(from,
                   fmt::format("SELECT {} FROM events WHERE {} ORDER BY {} LIMIT ${}", columns, where, order,
                               by.values().size()),
                   by.values(), limit);
}

}  // namespace

bool is_of_all(read_query const& query) {
    return query.types.empty() && query.excluded_types.empty() && !query.workspace_id && query.stream.empty();
}

read_page read_page_up_to(sql::connection& from, read_query const& query, position bound,
                          std::chrono::steady_clock::time_point deadline) {
    // There is no index by type: rare ones are looked for window by window, so that no statement runs long.
    bool const searching = !query.types.empty() || !query.excluded_types.empty();
    position const window = searching ? search_window : std::numeric_limits<position>::max();
    read_page page{{}, query.after};
    while (page.scanned_to < bound && page.events.size() < query.limit) {
        position const end = bound - page.scanned_to <= window ? bound : page.scanned_to + window;
        auto found = read_events(from, query, page.scanned_to, end, query.limit - page.events.size());
        page.scanned_to = end;
        std::move(found.begin(), found.end(), std::back_inserter(page.events));
        if (std::chrono::steady_clock::now() > deadline) break;
    }
    // Positions have no gaps: a page of all events has seen what it holds, whatever the bound promised.
    if (page.events.size() >= query.limit || is_of_all(query))
        page.scanned_to = page.events.empty() ? query.after : page.events.back().position;
    return page;
}

std::vector<digest> read_leaf_hash_page(sql::connection& from, position after, std::size_t limit) {
    // One row for all: thousands of rows would cost more than what they hold.
    position const start = std::max<position>(after, 0);
    std::vector<digest> hashes;
    from.query(
        "SELECT string_agg(leaf_hash, ''::bytea ORDER BY position), count(*), max(position) FROM events"
        " WHERE position > $1 AND position <= $2",
        {start, start + limit_of(limit)}, [&](sql::row const& r) {
            auto const count = r.integer(1);
            if (count == 0) return;
            std::string const all = r.bytes(0);
            if (r.integer(2) != start + count ||
                all.size() != static_cast<std::size_t>(count) * sizeof(digest))
                throw sql::error(sql::error::kind::other, "PostgreSQL: positions are missing in the log");
            hashes.resize(static_cast<std::size_t>(count));
            std::memcpy(hashes.data(), all.data(), all.size());
        });
    return hashes;
}

std::vector<recorded_event> read_stream_events(sql::connection& from, std::string const& stream,
                                               version after, std::size_t limit) {
    auto events =
        collect(from, fmt::format("SELECT {} FROM log_read_stream($1, $2, $3) ORDER BY version", columns),
                {stream, after, limit_of(limit)}, limit);
    require_in_order(events, stream, after);
    return events;
}

std::vector<std::optional<stored_response>> read_responses(sql::postgres_connection& from,
                                                           std::vector<digest> const& ids) {
    sql::binary_array array(sql::binary_array::element::bytea);
    for (auto const& id : ids) array.add_bytes(view_of(id));
    std::vector<std::optional<stored_response>> found(ids.size());
    from.query_binary(
        "SELECT d.number, i.fingerprint, i.response, i.last_position, i.primary_version"
        " FROM unnest($1::bytea[]) WITH ORDINALITY AS d (id, number) JOIN idempotency AS i ON i.id = d.id",
        {array.take()}, [&](sql::row const& r) {
            found.at(static_cast<std::size_t>(r.integer(0) - 1)) =
                stored_response{fixed_bytes<std::tuple_size_v<digest>>(r, 1),
                                replayed{r.integer(3), r.integer(4), r.bytes(2)}};
        });
    return found;
}

stored_key read_key(sql::row const& from) {
    return {from.id(0), from.text_or_null(1).value_or(""), from.bytes(2)};
}

}  // namespace linkledger::eventlog
