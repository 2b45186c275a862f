#pragma once
// The HTTP/1.1 server: connections, limits and deadlines; knows nothing of what is served.

#include "api/http.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace linkledger::api {

struct server_options {
    std::string address = "127.0.0.1";
    std::uint16_t port = 8080;  ///< 0: any free one, see server::port.
    unsigned threads = 0;       ///< Each with connections of its own; 0: as many as cores, 2 at most.

    std::size_t target_bytes_max = 8'192 + 512;
    std::size_t header_bytes_max = 16'384;
    std::size_t headers_max = 100;
    std::size_t connections_max = 8'192;
    /// Connections from one address; those in `unlimited_from` are not counted (proxies).
    std::size_t connections_per_address_max = 1'024;
    std::function<bool(std::string const& address)> unlimited_from;

    std::chrono::milliseconds idle_timeout{75'000};    ///< Between requests.
    std::chrono::milliseconds header_timeout{10'000};  ///< From a request's first byte to its last header.
    std::chrono::milliseconds body_timeout{30'000};    ///< From there to the body's end.
    std::chrono::milliseconds write_timeout{30'000};   ///< For one response, or one chunk of a streamed one.
    /// After an error that ends the connection: how long the client may take to read the answer.
    std::chrono::milliseconds linger_timeout{2'000};
    std::chrono::milliseconds sweep_interval{250};  ///< Deadlines are checked this often.
};

struct server_stats {
    std::size_t connections = 0;
    std::uint64_t accepted = 0, refused = 0, requests = 0;
};

/// Serves from construction of the sockets (`start`) to `drain`. Handlers run on the server's threads and
/// must not block them.
class server {
public:
    server(server_options const& options, request_handler& handler);
    ~server();  ///< Drains without patience.
    server(server const&) = delete;
    server& operator=(server const&) = delete;

    /// Binds and serves. Throws std::runtime_error that names the address when it cannot be had.
    void start();
    [[nodiscard]] std::uint16_t port() const;

    /// Accepts no more, closes idle connections, lets requests in flight finish for so long, then closes the
    /// rest. Blocks until all is over; true when nothing had to be cut off. Call it from no server thread.
    bool drain(std::chrono::milliseconds patience);

    [[nodiscard]] server_stats stats() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace linkledger::api
