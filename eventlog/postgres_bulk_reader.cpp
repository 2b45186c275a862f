// Bulk reads from PostgreSQL over libpq itself: a stretch is a COPY in binary form, whose rows are used where
// they arrive while the server goes on. libpqxx knows text alone, and bytes as hexadecimal text cost more
// than everything else of an event.

#include "eventlog/bulk_reader.h"

#include <libpq-fe.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace linkledger::eventlog {
namespace {

struct connection_closer {
    void operator()(PGconn* open) const noexcept { PQfinish(open); }
};
struct result_clearer {
    void operator()(PGresult* held) const noexcept { PQclear(held); }
};
struct memory_freer {
    void operator()(char* held) const noexcept { PQfreemem(held); }
};
using connection_handle = std::unique_ptr<PGconn, connection_closer>;
using result_handle = std::unique_ptr<PGresult, result_clearer>;

/// Signature, flags, and the length of an extension that there is none of; then each row's number of cells.
constexpr std::size_t copy_header_bytes = 19;
constexpr std::size_t row_header_bytes = 2;
constexpr std::string_view end_of_rows{"\xFF\xFF", 2};

template <typename Unsigned>
Unsigned from_big_endian(std::string_view bytes) {
    Unsigned value = 0;
    for (char const byte : bytes)
        value = static_cast<Unsigned>(value << 8 | static_cast<unsigned char>(byte));
    return value;
}

/// Cells of a copied row, one after the other: each a length and bytes. No column that is read may be NULL.
class row_view {
public:
    explicit row_view(std::string_view cells) : left_(cells) {}

    std::string_view bytes() {
        constexpr std::size_t length_bytes = 4;
        auto const size = left_.size() < length_bytes
                              ? left_.size()
                              : from_big_endian<std::uint32_t>(left_.substr(0, length_bytes));
        whole_ = whole_ && size <= left_.size() - std::min(left_.size(), length_bytes);
        if (!whole_) return {};
        auto const cell = left_.substr(length_bytes, size);
        left_.remove_prefix(length_bytes + size);
        return cell;
    }
    std::int64_t integer() { return static_cast<std::int64_t>(from_big_endian<std::uint64_t>(bytes())); }
    void copy_uuid(uuid& to) { copy_bytes(to.bytes); }
    template <typename Bytes>
    void copy_bytes(Bytes& to) {
        auto const from = bytes();
        if (from.size() == to.size())
            std::memcpy(to.data(), from.data(), from.size());
        else
            to = {};
    }
    [[nodiscard]] bool is_whole() const { return whole_; }

private:
    std::string_view left_;
    bool whole_ = true;
};

std::string quoted(std::string const& text) {
    std::string made = "'";
    for (char const c : text) made += c == '\'' ? std::string{"''"} : std::string{c};
    return made + "'";
}

class postgres_reader final : public bulk_reader {
public:
    explicit postgres_reader(std::string url) : url_(std::move(url)) {}

    result<void> read(bulk_query const& query, std::function<void(recorded_event&)> const& each) override {
        BOOST_OUTCOME_TRY(connect());
        result_handle const begun{PQexec(connection_.get(), copy_statement(query).c_str())};
        if (PQresultStatus(begun.get()) != PGRES_COPY_OUT) return refused(begun);
        recorded_event event;
        bool whole = true;
        bool first = true;
        for (;;) {
            char* held = nullptr;
            int const size = PQgetCopyData(connection_.get(), &held, 0);
            std::unique_ptr<char, memory_freer> const row{held};
            if (size < 0) break;
            std::string_view cells{held, static_cast<std::size_t>(size)};
            if (std::exchange(first, false)) cells.remove_prefix(std::min(cells.size(), copy_header_bytes));
            if (cells.size() < row_header_bytes || cells.starts_with(end_of_rows)) continue;
            row_view view{cells.substr(row_header_bytes)};
            fill(event, query.fields, view);
            whole = whole && view.is_whole();
            if (whole) each(event);
        }
        result_handle const ended{PQgetResult(connection_.get())};
        while (result_handle const left{PQgetResult(connection_.get())}) {
        }
        if (PQresultStatus(ended.get()) != PGRES_COMMAND_OK) return refused(ended);
        if (!whole) return lost("PostgreSQL: a bulk read was cut off");
        return boost::outcome_v2::success();
    }

private:
    result<void> connect() {
        if (connection_ && PQstatus(connection_.get()) == CONNECTION_OK) return boost::outcome_v2::success();
        connection_.reset(PQconnectdb(url_.c_str()));
        // libpq repeats parts of a connection string that it cannot read, so its words are not passed on.
        if (PQstatus(connection_.get()) != CONNECTION_OK) return lost("PostgreSQL: no connection");
        // By the index of positions, in whose order rows lie: without statistics, as after a load, PostgreSQL
        // would collect and sort them, which costs as much as all else.
        result_handle const set{PQexec(connection_.get(),
                                       "SET TimeZone = 'UTC'; SET application_name = 'linkledger rebuild';"
                                       "SET statement_timeout = 600000;"
                                       "SET max_parallel_workers_per_gather = 0;"
                                       "SET enable_bitmapscan = off; SET enable_sort = off")};
        if (PQresultStatus(set.get()) != PGRES_COMMAND_OK) return lost("PostgreSQL: a setting was refused");
        return boost::outcome_v2::success();
    }

    static std::string copy_statement(bulk_query const& query) {
        std::string types;
        for (auto const& each : query.types) types += (types.empty() ? "" : ", ") + quoted(each);
        return fmt::format(
            "COPY (SELECT {} FROM events WHERE position > {} AND position <= {}{} ORDER BY position) "
            "TO STDOUT (FORMAT binary)",
            columns_of(query.fields), query.after, query.until,
            types.empty() ? "" : " AND type IN (" + types + ")");
    }

    failure refused(result_handle const& answer) {
        char const* const state = PQresultErrorField(answer.get(), PG_DIAG_SQLSTATE);
        return lost(
            fmt::format("PostgreSQL: a bulk read failed (SQLSTATE {})", state == nullptr ? "-" : state));
    }

    failure lost(std::string what) {
        connection_.reset();
        return {failure_code::unavailable, std::move(what)};
    }

    /// As `fill` takes them.
    static std::string columns_of(bulk_fields const& fields) {
        std::string text = "position, recorded_us, occurred_us, schema_version, event_id, type, data";
        if (fields.stream) text += ", version, stream";
        if (fields.workspace) text += ", workspace_id";
        if (fields.personal) text += ", personal_key, personal";
        if (fields.cause) text += ", context_key, metadata, context";
        if (fields.leaf) text += ", salt, leaf_hash";
        return text;
    }

    static void fill(recorded_event& into, bulk_fields const& fields, row_view& from) {
        into.position = from.integer();
        into.recorded_at = domain::from_unix_us(from.integer());
        auto& body = into.body;
        body.occurred_at = domain::from_unix_us(from.integer());
        body.schema_version = static_cast<int>(from.integer());
        from.copy_uuid(body.event_id);
        body.type.assign(from.bytes());
        body.data.assign(from.bytes());
        if (fields.stream) {
            into.version = from.integer();
            into.stream.assign(from.bytes());
        }
        if (fields.workspace) from.copy_uuid(body.workspace_id);
        if (fields.personal) {
            from.copy_uuid(body.personal.key_id);
            body.personal.bytes.assign(from.bytes());
        }
        if (fields.cause) {
            from.copy_uuid(body.context.key_id);
            body.metadata.assign(from.bytes());
            body.context.bytes.assign(from.bytes());
        }
        if (fields.leaf) {
            from.copy_bytes(body.salt);
            from.copy_bytes(into.leaf_hash);
        }
    }

    std::string url_;
    connection_handle connection_;
};

}  // namespace

std::unique_ptr<bulk_reader> create_postgres_bulk_reader(std::string const& url) {
    return std::make_unique<postgres_reader>(url);
}

}  // namespace linkledger::eventlog
