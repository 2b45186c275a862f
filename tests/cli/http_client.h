#pragma once
// A small HTTP/1.1 client that blocks, for tests: one connection, one request at a time, every wait bounded.

#include <map>
#include <stdexcept>
#include <string>

namespace linkledger::test {

struct http_answer {
    int status = 0;
    std::map<std::string, std::string> headers;  ///< Names in lower case.
    std::string body;
};

/// The connection could not be made, broke, or got no answer in time.
class http_failed : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Keeps its connection between requests; makes a new one after a failure.
class http_client {
public:
    explicit http_client(int port, std::string bearer = {}) : port_(port), bearer_(std::move(bearer)) {}
    ~http_client();
    http_client(http_client const&) = delete;
    http_client& operator=(http_client const&) = delete;

    /// Throws http_failed.
    http_answer send(std::string const& method, std::string const& target, std::string const& body = {},
                     std::map<std::string, std::string> const& headers = {});
    http_answer get(std::string const& target) { return send("GET", target); }
    /// `POST /v1/commands/<name>`
    http_answer command(std::string const& name, std::string const& data,
                        std::string const& idempotency_key = {});

    void use_key(std::string bearer) { bearer_ = std::move(bearer); }

private:
    void connect();
    void disconnect();
    [[noreturn]] void broke(std::string const& why);
    http_answer receive(bool has_body);

    int port_;
    std::string bearer_;
    int socket_ = -1;
    std::string incoming_;
};

}  // namespace linkledger::test
