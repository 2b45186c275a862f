#pragma once
// Reads requests from bytes, without I/O: Beast's strict parser behind the few calls that a session makes.

#include "api/http.h"

#include <memory>

namespace linkledger::api {

struct parser_limits {
    std::size_t target_bytes_max = 8'192 + 512;
    std::size_t header_bytes_max = 16'384;
    std::size_t headers_max = 100;
};

/// Why a request cannot be read; the connection ends with it.
struct parse_error {
    int status = 400;
    std::string_view code;
    std::string_view detail;
};

class request_parser {
public:
    request_parser(parser_limits const& limits, request_handler const& handler, std::string_view remote);
    ~request_parser();

    enum class state { need_more, complete, failed };
    struct progress {
        std::size_t consumed = 0;
        request_parser::state state = state::need_more;
    };
    /// Takes what it can from `bytes`; call again with the rest and more behind it. After `complete` the
    /// rest belongs to the next request.
    progress feed(std::string_view bytes);

    /// Forgets the request and waits for the next one.
    void reset();

    [[nodiscard]] request const& message() const;
    [[nodiscard]] bool started() const;      ///< Some of a request has been read.
    [[nodiscard]] bool header_done() const;  ///< Its head has; the body may be missing.
    [[nodiscard]] bool keep_alive() const;   ///< The client wants to go on with this connection.
    [[nodiscard]] bool is_http_1_0() const;
    /// The client waits for `100 Continue` before it sends the body. True once per request.
    [[nodiscard]] bool take_expectation();
    [[nodiscard]] parse_error error() const;  ///< After `failed`.

private:
    struct implementation;
    std::unique_ptr<implementation> implementation_;
};

}  // namespace linkledger::api
