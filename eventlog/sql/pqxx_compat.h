#pragma once
// What differs between libpqxx 6.4 (Debian 12) and 7.10 (Debian 13), in one place, and what neither offers.
// Include it in .cpp files only.

#include <libpq-fe.h>
#include <pqxx/pqxx>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Both versions mark calls as deprecated whose replacements the other one does not have.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace linkledger::sql::compat {

#if PQXX_VERSION_MAJOR < 7

using base_connection = pqxx::connection_base;

/// Knows what libpqxx hides: libpq's own connection.
class direct_policy final : public pqxx::connect_direct {
public:
    using pqxx::connect_direct::connect_direct;
    handle do_startconnect(handle from) override {
        return raw_ = pqxx::connect_direct::do_startconnect(from);
    }
    [[nodiscard]] PGconn* raw() const { return raw_; }

private:
    PGconn* raw_ = nullptr;
};

/// A connection that can be used through libpq, too, between two calls of libpqxx.
class connection final : public pqxx::connection_base {
public:
    explicit connection(std::string const& url) : pqxx::connection_base(policy_), policy_(url) {
        init();
        // libpqxx 6 reconnects silently, which would lose session settings and hide unknown outcomes.
        inhibit_reactivation(true);
    }
    ~connection() { close(); }
    connection(connection const&) = delete;
    connection& operator=(connection const&) = delete;
    [[nodiscard]] PGconn* raw() const { return policy_.raw(); }

private:
    direct_policy policy_;
};

#else

using base_connection = pqxx::connection;

/// A connection that can be used through libpq, too, between two calls of libpqxx.
class connection final : public pqxx::connection {
public:
    explicit connection(std::string const& url) : connection(connect(url)) {}
    [[nodiscard]] PGconn* raw() const { return raw_; }

private:
    explicit connection(PGconn* raw)
        : pqxx::connection(pqxx::connection::seize_raw_connection(raw)), raw_(raw) {}
    static PGconn* connect(std::string const& url) {
        PGconn* const made = PQconnectdb(url.c_str());
        if (PQstatus(made) == CONNECTION_OK) return made;
        std::string const why = PQerrorMessage(made);
        PQfinish(made);
        throw pqxx::broken_connection{why};
    }

    PGconn* raw_;
};

#endif

/// Runs a COPY … FROM STDIN; `send` hands its pieces to what it is given. Throws as libpqxx does.
inline void copy_in(PGconn* raw, std::string const& statement,
                    std::function<void(std::function<void(std::string_view)> const&)> const& send) {
    struct clearer {
        void operator()(PGresult* held) const noexcept { PQclear(held); }
    };
    using result = std::unique_ptr<PGresult, clearer>;
    auto const fail = [&](result const& answer) {
        char const* const state = answer ? PQresultErrorField(answer.get(), PG_DIAG_SQLSTATE) : nullptr;
        if (state == nullptr || PQstatus(raw) != CONNECTION_OK)
            throw pqxx::broken_connection{"the connection broke during a copy"};
        throw pqxx::sql_error{PQresultErrorMessage(answer.get()), statement, state};
    };
    result const begun{PQexec(raw, statement.c_str())};
    if (PQresultStatus(begun.get()) != PGRES_COPY_IN) fail(begun);
    bool sent = true;
    send([&](std::string_view piece) {
        sent = sent && PQputCopyData(raw, piece.data(), static_cast<int>(piece.size())) == 1;
    });
    if (!sent || PQputCopyEnd(raw, nullptr) != 1)
        throw pqxx::broken_connection{"the connection broke during a copy"};
    result const ended{PQgetResult(raw)};
    while (result const left{PQgetResult(raw)}) {
    }
    if (PQresultStatus(ended.get()) != PGRES_COMMAND_OK) fail(ended);
}

/// Runs a prepared statement with parameters in text form; a null pointer is NULL.
inline pqxx::result exec_text(pqxx::transaction_base& work, std::string const& statement,
                              std::vector<char const*> const& values) {
#if PQXX_VERSION_MAJOR < 7
    return work.exec_prepared(statement, pqxx::prepare::make_dynamic_params(values));
#else
    pqxx::params parameters;
    for (char const* const each : values) {
        if (each == nullptr)
            parameters.append();
        else
            parameters.append(std::string{each});
    }
    return work.exec_prepared(statement, parameters);
#endif
}

/// Runs a prepared statement whose parameters all come in PostgreSQL's binary form.
inline pqxx::result exec_binary(pqxx::transaction_base& work, std::string const& statement,
                                std::vector<std::string> const& values) {
#if PQXX_VERSION_MAJOR < 7
    std::vector<pqxx::binarystring> parameters;
    parameters.reserve(values.size());
    for (auto const& each : values) parameters.emplace_back(each.data(), each.size());
    return work.exec_prepared(statement, pqxx::prepare::make_dynamic_params(parameters));
#else
    pqxx::params parameters;
    for (auto const& each : values)
        parameters.append(
            std::basic_string_view<std::byte>{reinterpret_cast<std::byte const*>(each.data()), each.size()});
    return work.exec_prepared(statement, parameters);
#endif
}

/// Subscribes to a channel for as long as it lives; notifications arrive within `await`.
class subscription : public pqxx::notification_receiver {
public:
    subscription(base_connection& connection, std::string const& channel)
        : pqxx::notification_receiver(connection, channel) {}
    void operator()(std::string const& payload, int /*backend_pid*/) override { last_ = payload; }

    /// The last notification's payload, once; empty when none arrived in time.
    std::string await(std::chrono::microseconds time) {
        auto const seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
        conn().await_notification(static_cast<long>(seconds.count()),
                                  static_cast<long>((time - seconds).count()));
        return std::exchange(last_, {});
    }

private:
    std::string last_;
};

}  // namespace linkledger::sql::compat

#pragma GCC diagnostic pop
