#pragma once
// What differs between libpqxx 6.4 (Debian 12) and 7.10 (Debian 13), in one place. Include it in .cpp files
// only.

#include <pqxx/pqxx>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Both versions mark calls as deprecated whose replacements the other one does not have.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace linkledger::sql::compat {

/// libpqxx 6 reconnects silently, which would lose session settings and hide unknown outcomes.
inline void forbid_reconnection([[maybe_unused]] pqxx::connection& connection) {
#if PQXX_VERSION_MAJOR < 7
    connection.inhibit_reactivation(true);
#endif
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
    subscription(pqxx::connection& connection, std::string const& channel)
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
