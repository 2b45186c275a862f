// SQL on PostgreSQL through libpqxx: prepared statements, session limits, errors told apart, and a deadline
// for every call.

#include "eventlog/sql/binary_array.h"
#include "eventlog/sql/call_watchdog.h"
#include "eventlog/sql/postgres_connection.h"
#include "eventlog/sql/postgres_values.h"
#include "eventlog/sql/pqxx_compat.h"

#include <fmt/format.h>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <unordered_map>

namespace linkledger::sql {
namespace {

constexpr std::size_t statements_max = 256;
constexpr std::size_t rows_per_statement_max = 20'000;
constexpr std::size_t copied_rows_min = 100;

/// What a failed call could have done, were the connection to break under it.
enum class effect {
    none,      ///< Reads, or a statement of an open transaction: the server rolls back.
    possible,  ///< A statement outside a transaction, or a commit.
};

bool starts_with(std::string_view text, std::string_view prefix) {
    return text.substr(0, prefix.size()) == prefix;
}

/// The first line of a server's message, without the DETAIL and CONTEXT that quote stored values.
std::string first_line(std::string_view text) {
    return std::string{text.substr(0, text.find('\n'))};
}

error::kind kind_of(std::string_view state, effect did) {
    // A standby that was not promoted yet, after a failover.
    if (state == "25006") return error::kind::unavailable;
    if (state == "57014" || state == "55P03" || state == "25P03") return error::kind::timeout;
    if (starts_with(state, "23")) return error::kind::constraint;
    // The server is going away. It may have committed before it said so.
    bool const ended = starts_with(state, "57P") || starts_with(state, "08");
    if (ended) return did == effect::none ? error::kind::unavailable : error::kind::unknown_outcome;
    // Serialization failures, deadlocks, and exhausted resources: rolled back, worth another try.
    if (starts_with(state, "40") || starts_with(state, "53")) return error::kind::unavailable;
    return error::kind::other;
}

[[noreturn]] void throw_sql_error(pqxx::sql_error const& caught, effect did) {
    std::string const state = caught.sqlstate();
    // Class 22 messages quote the value that does not fit.
    std::string const words =
        starts_with(state, "22") ? "a value does not fit its type" : first_line(caught.what());
    throw error(kind_of(state, did), fmt::format("PostgreSQL: {} (SQLSTATE {})", words, state));
}

/// Whether the server has ended an idle session: the stream is at its end, or an error message stands in it,
/// which outside a call is always a fatal one.
bool is_closed_by_peer(int fd) {
    char first = 0;
    ssize_t const got = ::recv(fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0) return errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
    return got == 0 || first == 'E';
}

class postgres_row : public row {
public:
    explicit postgres_row(pqxx::row const& from) : from_(from) {}

    bool is_null(int column) const override { return cell(column).is_null(); }
    std::string text(int column) const override { return std::string{view(column)}; }
    std::int64_t integer(int column) const override { return parse_integer(view(column)); }
    bool boolean(int column) const override { return parse_boolean(view(column)); }
    double real(int column) const override { return parse_real(view(column)); }
    std::string bytes(int column) const override { return parse_bytea(view(column)); }
    domain::uuid id(int column) const override { return parse_id(view(column)); }
    domain::timestamp time(int column) const override { return parse_time(view(column)); }

private:
    pqxx::field cell(int column) const { return from_[static_cast<pqxx::row::size_type>(column)]; }
    std::string_view view(int column) const {
        pqxx::field const found = cell(column);
        if (found.is_null())
            throw error(error::kind::other, fmt::format("column {} is NULL where a value must be", column));
        // The text belongs to the result, which outlives the field.
        return {found.c_str(), static_cast<std::size_t>(found.size())};
    }

    pqxx::row const& from_;
};

/// The names of prepared statements by their text; the least recently used goes when there are too many.
class statement_cache {
public:
    std::string const& name_of(std::string const& sql, compat::base_connection& connection) {
        if (auto const found = by_sql_.find(sql); found != by_sql_.end()) {
            order_.splice(order_.begin(), order_, found->second);
            return found->second->name;
        }
        if (order_.size() >= statements_max) evict(connection);
        std::string name = "s" + std::to_string(++made_);
        connection.prepare(name, sql);
        order_.push_front({sql, std::move(name)});
        by_sql_.emplace(sql, order_.begin());
        return order_.front().name;
    }

private:
    struct entry {
        std::string sql, name;
    };

    void evict(compat::base_connection& connection) {
        entry const last = std::move(order_.back());
        order_.pop_back();
        by_sql_.erase(last.sql);
        connection.unprepare(last.name);
    }

    std::list<entry> order_;
    std::unordered_map<std::string, std::list<entry>::iterator> by_sql_;
    std::uint64_t made_ = 0;
};

class libpqxx_connection : public postgres_connection {
public:
    explicit libpqxx_connection(postgres_options const& options);

    sql::dialect dialect() const override { return sql::dialect::postgresql; }

    std::int64_t execute(std::string const& sql, parameters const& values) override {
        return static_cast<std::int64_t>(run(sql, values).affected_rows());
    }
    void query(std::string const& sql, parameters const& values,
               std::function<void(row const&)> const& each) override {
        visit(run(sql, values), each);
    }
    void query_binary(std::string const& sql, std::vector<std::string> const& values,
                      std::function<void(row const&)> const& each) override {
        visit(run_binary(sql, values), each);
    }
    void execute_script(std::string const& sql) override;
    std::int64_t execute_values(std::string const& sql, std::vector<std::string> const& types,
                                std::vector<parameters> const& rows) override;
    void copy_rows(std::string const& table, std::vector<std::string> const& columns,
                   std::vector<parameters> const& rows) override;

    void begin(access how) override;
    void commit() override;
    void rollback() noexcept override;
    bool usable() const override { return !broken_; }

    void listen(std::string const& channel) override;
    std::optional<std::string> await_notification(std::chrono::milliseconds time) override;

private:
    pqxx::result run(std::string const& sql, parameters const& values);
    pqxx::result run_binary(std::string const& sql, std::vector<std::string> const& values);
    static void visit(pqxx::result const& found, std::function<void(row const&)> const& each);
    std::vector<std::string> const& types_of(std::string const& table,
                                             std::vector<std::string> const& columns);

    /// Makes a call to the server under the deadline and translates what it throws.
    template <typename Work>
    auto call(Work const& work, std::optional<effect> did = {});
    /// Statements run one by one; transactions are begun and ended by statements of their own.
    pqxx::nontransaction& work() {
        if (!work_) work_ = std::make_unique<pqxx::nontransaction>(*connection_);
        return *work_;
    }
    void require_usable() {
        broken_ = broken_ || is_closed_by_peer(connection_->sock());
        if (broken_) throw error(error::kind::unavailable, "PostgreSQL: the connection is broken");
    }
    [[noreturn]] void throw_broken(effect did, bool deadline_passed);

    postgres_options options_;
    // Declared in the order of making: the transaction and the subscription refer to the connection.
    watched_socket watched_;
    std::unique_ptr<compat::connection> connection_;
    std::unique_ptr<pqxx::nontransaction> work_;
    std::unique_ptr<compat::subscription> subscription_;
    statement_cache statements_;
    std::unordered_map<std::string, std::vector<std::string>> column_types_;
    bool in_transaction_ = false;
    bool failed_ = false;
    bool broken_ = false;
};

template <typename Work>
auto libpqxx_connection::call(Work const& work, std::optional<effect> did) {
    require_usable();
    effect const assumed = did.value_or(in_transaction_ ? effect::none : effect::possible);
    struct watch {
        watched_socket& socket;
        bool ended = false;
        bool end() { return std::exchange(ended, true) ? false : socket.disarm(); }
        ~watch() { end(); }
    } watch{watched_};
    watched_.arm(connection_->sock(), options_.call_timeout);
    try {
        return work();
    } catch (pqxx::sql_error const& caught) {
        failed_ = true;
        bool const deadline_passed = watch.end();
        if (!connection_->is_open() || deadline_passed) throw_broken(assumed, deadline_passed);
        if (starts_with(caught.sqlstate(), "57P") || starts_with(caught.sqlstate(), "08")) broken_ = true;
        throw_sql_error(caught, assumed);
    } catch (pqxx::broken_connection const&) {
        throw_broken(assumed, watch.end());
    } catch (std::exception const& caught) {
        failed_ = true;
        bool const deadline_passed = watch.end();
        if (!connection_->is_open() || deadline_passed) throw_broken(assumed, deadline_passed);
        if (auto const* ours = dynamic_cast<error const*>(&caught)) throw error(*ours);
        throw error(error::kind::other, "PostgreSQL: " + first_line(caught.what()));
    }
}

void libpqxx_connection::execute_script(std::string const& sql) {
    call([&] { return work().exec(sql); });
}

void libpqxx_connection::throw_broken(effect did, bool deadline_passed) {
    failed_ = true;
    broken_ = true;
    char const* const why = deadline_passed ? "PostgreSQL: no answer within the call's deadline"
                                            : "PostgreSQL: the connection broke during a call";
    throw error(did == effect::none ? error::kind::unavailable : error::kind::unknown_outcome, why);
}

/// The settings of a session, as one script.
std::string session_settings(postgres_options const& options) {
    return fmt::format(
        "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET client_encoding = 'UTF8'; SET bytea_output = 'hex';"
        "SET client_min_messages = error; SET application_name = 'linkledger';"
        "SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {}; {}",
        options.statement_timeout.count(), options.lock_timeout.count(),
        options.idle_in_transaction_timeout.count(),
        options.synchronous_commit ? "" : "SET synchronous_commit = off");
}

/// Adds libpq's connect_timeout (whole seconds, 2 at least) unless the URL has one.
std::string with_connect_timeout(std::string const& url, std::chrono::milliseconds timeout) {
    if (url.find("connect_timeout") != std::string::npos) return url;
    auto const seconds = std::max<std::int64_t>(2, (timeout.count() + 999) / 1000);
    bool const is_uri = starts_with(url, "postgresql://") || starts_with(url, "postgres://");
    if (!is_uri) return fmt::format("{} connect_timeout={}", url, seconds);
    char const separator = url.find('?') == std::string::npos ? '?' : '&';
    return fmt::format("{}{}connect_timeout={}", url, separator, seconds);
}

/// libpq repeats parts of a connection string that it cannot read, and a password may be among them.
std::string safe_connect_message(std::string_view text) {
    if (starts_with(text, "connection to server")) return first_line(text);
    return "no connection: the connection string cannot be read, or its host is not known";
}

libpqxx_connection::libpqxx_connection(postgres_options const& options) : options_(options) {
    try {
        connection_ =
            std::make_unique<compat::connection>(with_connect_timeout(options.url, options.connect_timeout));
    } catch (std::exception const& caught) {
        throw error(error::kind::unavailable, "PostgreSQL: " + safe_connect_message(caught.what()));
    }
    call([&] { return work().exec(session_settings(options_)); }, effect::none);
}

pqxx::result libpqxx_connection::run(std::string const& sql, parameters const& values) {
    std::vector<std::optional<std::string>> const texts = to_texts(values);
    std::vector<char const*> const pointers = to_pointers(texts);
    return call([&] { return compat::exec_text(work(), statements_.name_of(sql, *connection_), pointers); });
}

pqxx::result libpqxx_connection::run_binary(std::string const& sql, std::vector<std::string> const& values) {
    return call([&] { return compat::exec_binary(work(), statements_.name_of(sql, *connection_), values); });
}

void libpqxx_connection::visit(pqxx::result const& found, std::function<void(row const&)> const& each) {
    for (pqxx::row const& current : found) each(postgres_row(current));
}

std::int64_t libpqxx_connection::execute_values(std::string const& sql, std::vector<std::string> const& types,
                                                std::vector<parameters> const& rows) {
    std::int64_t changed = 0;
    for (std::size_t first = 0; first < rows.size(); first += rows_per_statement_max) {
        std::size_t const last = std::min(rows.size(), first + rows_per_statement_max);
        value_table const table = to_value_table(types, rows, first, last);
        changed += static_cast<std::int64_t>(
            run_binary(with_values(sql, table.derived_table), table.arrays).affected_rows());
    }
    return changed;
}

void libpqxx_connection::copy_rows(std::string const& table, std::vector<std::string> const& columns,
                                   std::vector<parameters> const& rows) {
    if (rows.empty()) return;
    std::string names;
    for (auto const& each : columns) names += (names.empty() ? "" : ", ") + each;
    auto const& types = types_of(table, columns);
    // A copy takes a round trip more.
    auto const copied = rows.size() < copied_rows_min ? std::nullopt : copied_rows::of(types, rows);
    if (!copied) {
        execute_values(fmt::format("INSERT INTO {} ({}) SELECT * FROM {{values}} AS d", table, names), types,
                       rows);
        return;
    }
    call([&] {
        compat::copy_in(connection_->raw(),
                        fmt::format("COPY {} ({}) FROM STDIN (FORMAT binary)", table, names),
                        [&](auto const& piece) { copied->send(piece); });
    });
}

std::vector<std::string> const& libpqxx_connection::types_of(std::string const& table,
                                                             std::vector<std::string> const& columns) {
    std::string key = table;
    for (auto const& each : columns) key += "," + each;
    auto const [found, is_new] = column_types_.try_emplace(key);
    if (!is_new && !found->second.empty()) return found->second;
    std::vector<std::string> types;
    for (auto const& each : columns) {
        auto const type = query_one(
            "SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = $1::regclass AND attname "
            "= $2",
            {table, each}, [](row const& r) { return r.text(0); });
        if (!type) throw error(error::kind::other, "PostgreSQL: " + table + " has no column " + each);
        types.push_back(*type);
    }
    return found->second = std::move(types);
}

void libpqxx_connection::begin(access how) {
    call(
        [&] {
            return work().exec(how == access::read ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
                                                   : "BEGIN");
        },
        effect::none);
    in_transaction_ = true;
    failed_ = false;
}

void libpqxx_connection::commit() {
    // The server answers COMMIT of a failed transaction with a rollback that looks like success.
    if (failed_) {
        rollback();
        throw error(error::kind::other, "PostgreSQL: commit of a transaction that had failed");
    }
    in_transaction_ = false;
    call([&] { return work().exec("COMMIT"); }, effect::possible);
}

void libpqxx_connection::rollback() noexcept {
    bool const open = std::exchange(in_transaction_, false);
    if (!open || broken_) return;
    try {
        call([&] { return work().exec("ROLLBACK"); }, effect::none);
    } catch (std::exception const&) {
        broken_ = true;  // Whatever is left open ends with the connection.
    }
}

void libpqxx_connection::listen(std::string const& channel) {
    work_.reset();
    call([&] { subscription_ = std::make_unique<compat::subscription>(*connection_, channel); },
         effect::none);
}

std::optional<std::string> libpqxx_connection::await_notification(std::chrono::milliseconds time) {
    require_usable();
    work_.reset();  // libpqxx holds notifications back while any transaction object exists.
    try {
        std::string payload = subscription_->await(time);
        if (!connection_->is_open()) throw_broken(effect::none, false);
        return payload.empty() ? std::nullopt : std::optional{std::move(payload)};
    } catch (pqxx::failure const&) {
        throw_broken(effect::none, false);
    }
}

}  // namespace

std::unique_ptr<postgres_connection> open_postgres_connection(postgres_options const& options) {
    return std::make_unique<libpqxx_connection>(options);
}

std::unique_ptr<connection> open_postgres(postgres_options const& options) {
    return open_postgres_connection(options);
}

}  // namespace linkledger::sql
