// Bulk reads from PostgreSQL over libpq itself: rows in binary form, a stretch at a time. libpqxx knows text
// alone, and bytes as hexadecimal text cost more than everything else of an event.

#include "eventlog/bulk_reader.h"

#include <libpq-fe.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace linkledger::eventlog {
namespace {

/// Rows of one statement: what is held in memory at once, some 10 MB.
constexpr position stretch_events = 10'000;

struct connection_closer {
    void operator()(PGconn* open) const noexcept { PQfinish(open); }
};
struct result_clearer {
    void operator()(PGresult* held) const noexcept { PQclear(held); }
};
using connection_handle = std::unique_ptr<PGconn, connection_closer>;
using result_handle = std::unique_ptr<PGresult, result_clearer>;

class row_view {
public:
    row_view(PGresult const* rows, int row) : rows_(rows), row_(row) {}

    [[nodiscard]] std::string_view bytes(int column) const {
        return {PQgetvalue(rows_, row_, column), static_cast<std::size_t>(PQgetlength(rows_, row_, column))};
    }
    [[nodiscard]] std::int64_t integer(int column) const {
        std::uint64_t value = 0;
        for (char const byte : bytes(column)) value = value << 8 | static_cast<unsigned char>(byte);
        return static_cast<std::int64_t>(value);
    }
    void copy_uuid(int column, uuid& to) const {
        auto const from = bytes(column);
        if (from.size() == to.bytes.size()) std::memcpy(to.bytes.data(), from.data(), from.size());
    }

private:
    PGresult const* rows_;
    int row_;
};

std::string array_of(std::vector<std::string> const& types) {
    std::string text = "{";
    for (auto const& each : types) text += (text.size() == 1 ? "\"" : ",\"") + each + "\"";
    return text + "}";
}

class postgres_reader final : public bulk_reader {
public:
    explicit postgres_reader(std::string url) : url_(std::move(url)) {}

    result<void> read(bulk_query const& query, std::function<void(recorded_event&)> const& each) override {
        recorded_event event;
        for (position after = query.after; after < query.until;) {
            auto const until = std::min(query.until, after + stretch_events);
            BOOST_OUTCOME_TRY(auto const rows, fetch(query, after, until));
            for (int row = 0; row < PQntuples(rows.get()); ++row) {
                fill(event, {rows.get(), row});
                each(event);
            }
            after = until;
        }
        return boost::outcome_v2::success();
    }

private:
    result<void> connect() {
        if (connection_ && PQstatus(connection_.get()) == CONNECTION_OK) return boost::outcome_v2::success();
        connection_.reset(PQconnectdb(url_.c_str()));
        // libpq repeats parts of a connection string that it cannot read, so its words are not passed on.
        if (PQstatus(connection_.get()) != CONNECTION_OK) return lost("PostgreSQL: no connection");
        // Plans are made for the bounds that are asked for: partitions are left out by them.
        result_handle const set{
            PQexec(connection_.get(),
                   "SET TimeZone = 'UTC'; SET application_name = 'linkledger rebuild';"
                   "SET statement_timeout = 60000; SET plan_cache_mode = force_custom_plan;"
                   "SET max_parallel_workers_per_gather = 0")};
        if (PQresultStatus(set.get()) != PGRES_COMMAND_OK) return lost("PostgreSQL: a setting was refused");
        return boost::outcome_v2::success();
    }

    result<result_handle> fetch(bulk_query const& query, position after, position until) {
        BOOST_OUTCOME_TRY(connect());
        std::string const text = fmt::format(
            "SELECT position, version, recorded_us, occurred_us, schema_version, event_id, workspace_id, "
            "personal_key, "
            "context_key, {}, type, data, {}, {}, {} FROM events WHERE position > $1 AND position <= $2{} "
            "ORDER BY position",
            query.fields.stream ? "stream" : "''::text", query.fields.cause ? "metadata" : "''::text",
            query.fields.personal ? "personal" : "''::bytea", query.fields.cause ? "context" : "''::bytea",
            query.types.empty() ? "" : " AND type = ANY($3::text[])");
        std::string const bounds[] = {std::to_string(after), std::to_string(until), array_of(query.types)};
        std::array<char const*, 3> const values{bounds[0].c_str(), bounds[1].c_str(), bounds[2].c_str()};
        result_handle rows{PQexecParams(connection_.get(), text.c_str(), query.types.empty() ? 2 : 3, nullptr,
                                        values.data(), nullptr, nullptr, 1)};
        if (PQresultStatus(rows.get()) == PGRES_TUPLES_OK) return rows;
        char const* const state = PQresultErrorField(rows.get(), PG_DIAG_SQLSTATE);
        return lost(
            fmt::format("PostgreSQL: a bulk read failed (SQLSTATE {})", state == nullptr ? "-" : state));
    }

    failure lost(std::string what) {
        connection_.reset();
        return {failure_code::unavailable, std::move(what)};
    }

    static void fill(recorded_event& into, row_view const& from) {
        into.position = from.integer(0);
        into.version = from.integer(1);
        into.recorded_at = domain::from_unix_us(from.integer(2));
        auto& body = into.body;
        body.occurred_at = domain::from_unix_us(from.integer(3));
        body.schema_version = static_cast<int>(from.integer(4));
        from.copy_uuid(5, body.event_id);
        from.copy_uuid(6, body.workspace_id);
        from.copy_uuid(7, body.personal.key_id);
        from.copy_uuid(8, body.context.key_id);
        into.stream.assign(from.bytes(9));
        body.type.assign(from.bytes(10));
        body.data.assign(from.bytes(11));
        body.metadata.assign(from.bytes(12));
        body.personal.bytes.assign(from.bytes(13));
        body.context.bytes.assign(from.bytes(14));
    }

    std::string url_;
    connection_handle connection_;
};

}  // namespace

std::unique_ptr<bulk_reader> create_postgres_bulk_reader(std::string const& url) {
    return std::make_unique<postgres_reader>(url);
}

}  // namespace linkledger::eventlog
