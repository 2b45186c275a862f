#pragma once
// A small blocking HTTP client for tests: polite requests, and raw bytes for hostile ones.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace linkledger::tests {

struct http_response {
    int status = 0;
    std::multimap<std::string, std::string> headers;  ///< Names in lower case.
    std::string body;

    [[nodiscard]] std::string header(std::string const& lower_case_name) const;
};

using http_headers = std::vector<std::pair<std::string, std::string>>;

/// A TCP connection to a loopback port. Reads give up after 20 seconds, so that no test hangs.
class raw_connection {
public:
    explicit raw_connection(std::uint16_t port);
    ~raw_connection();
    raw_connection(raw_connection&& other) noexcept;
    raw_connection(raw_connection const&) = delete;
    raw_connection& operator=(raw_connection const&) = delete;

    /// False once the other end has closed.
    bool send(std::string_view bytes);
    void half_close();
    /// Whatever comes next; empty at the end.
    [[nodiscard]] std::string receive();
    /// Everything up to the end.
    [[nodiscard]] std::string receive_all();
    /// Until `text` was received; what came up to then. Fewer bytes: the connection ended.
    [[nodiscard]] std::string receive_until(std::string_view text);
    /// One response; none when the connection ended before its head was complete. `is_head`: it has no body.
    [[nodiscard]] std::optional<http_response> receive_response(bool is_head = false);

private:
    [[nodiscard]] bool fill();
    [[nodiscard]] std::string take(std::size_t count);
    [[nodiscard]] std::string receive_chunks();

    int socket_ = -1;
    std::string buffered_;
};

/// A connection that is kept from request to request, and made anew when the server closed it.
class http_client {
public:
    explicit http_client(std::uint16_t port, std::string bearer = {});

    http_response get(std::string const& target, http_headers const& headers = {});
    http_response head(std::string const& target, http_headers const& headers = {});
    http_response post(std::string const& target, std::string const& body, http_headers const& headers = {});
    http_response request(std::string const& method, std::string const& target, std::string const& body,
                          http_headers const& headers);

    std::string bearer;

private:
    std::uint16_t port_;
    std::optional<raw_connection> connection_;
};

}  // namespace linkledger::tests
