#pragma once
// One connection to Redis, blocking, with a deadline on everything.

#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace linkledger::redis {

/// Messages hold addresses and what Redis said, never the password.
class error : public std::runtime_error {
public:
    enum class kind {
        unavailable,  ///< No connection, no answer in time, or one that broke. Connect again, later.
        refused,      ///< Redis answered with an error: a wrong password, no memory left, a bad script.
    };
    error(kind k, std::string const& message) : std::runtime_error(message), kind_(k) {}
    [[nodiscard]] kind what_kind() const { return kind_; }

private:
    kind kind_;
};

struct address {
    std::string host;
    int port = 6379;
    std::string user{};      ///< Empty: the default user.
    std::string password{};  ///< A secret; empty: none.
    int database = 0;
};
/// `redis://[[user]:password@]host[:port][/database]`; user and password may be percent-encoded. Throws
/// std::invalid_argument that says what is accepted, without the text it was given.
[[nodiscard]] address parse_url(std::string_view url);
/// `127.0.0.1:6379/0`, for logs.
[[nodiscard]] std::string to_string(address const& of);

struct options {
    address where;
    std::chrono::milliseconds connect_timeout{500};
    std::chrono::milliseconds call_timeout{1'000};
};

/// What Redis answers: nothing, a number, text, or a list. Error replies are thrown.
struct reply {
    std::variant<std::monostate, std::int64_t, std::string, std::vector<reply>> value;

    [[nodiscard]] bool is_null() const { return std::holds_alternative<std::monostate>(value); }
    /// These three throw error::kind::refused for a reply of another type.
    [[nodiscard]] std::int64_t integer() const;
    [[nodiscard]] std::string const& text() const;
    [[nodiscard]] std::vector<reply> const& list() const;
    /// Empty for nothing.
    [[nodiscard]] std::string text_or_empty() const { return is_null() ? std::string{} : text(); }
};

using words = std::vector<std::string>;

/// Not safe for use by two threads at once. Everything throws `error`; after `unavailable` the connection is
/// of no more use.
class connection {
public:
    /// Connects, authenticates and selects the database.
    explicit connection(options const& how);
    ~connection();
    connection(connection const&) = delete;
    connection& operator=(connection const&) = delete;

    reply call(words const& command);
    /// Sends all, then reads all: one round trip. A command that is refused throws once all were read.
    std::vector<reply> pipeline(std::vector<words> const& commands);

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace linkledger::redis
