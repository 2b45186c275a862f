#pragma once
// Requests and responses as plain values: what a handler sees and says, whatever library carries it.

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace linkledger::api {

template <typename T>
using awaitable = boost::asio::awaitable<T>;

enum class method { get, head, post, other };

[[nodiscard]] std::string_view method_text(method verb);

struct header_field {
    std::string_view name;
    std::string_view value;
};

/// One request, read completely and checked for form. Its views are valid until the handler has finished.
struct request {
    method verb = method::get;
    std::string_view target;  ///< As received, in origin form: path and query.
    std::string_view path;    ///< Percent-decoded UTF-8 without NUL; begins with a slash.
    std::string_view query;   ///< Raw, without `?`.
    std::vector<header_field> headers;
    std::string_view body;
    std::string_view remote_address;  ///< Of the connection's other end, which may be a proxy.

    /// The value of the first header of that name (in any case); empty when there is none.
    [[nodiscard]] std::string_view header(std::string_view name) const;
    [[nodiscard]] bool has_header(std::string_view name) const;
};

/// `a=1&b=x%20y` as decoded pairs, in order; `+` is a space. None: a bad escape or bad UTF-8.
using parameter_list = std::vector<std::pair<std::string, std::string>>;
[[nodiscard]] std::optional<parameter_list> parse_form(std::string_view text);

/// Decodes %XX. None: a bad escape, a NUL or bad UTF-8.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

[[nodiscard]] bool equal_ignoring_case(std::string_view a, std::string_view b);

/// What a streamed body is written to. Each write is one chunk and is sent before the call returns.
class body_writer {
public:
    virtual ~body_writer() = default;
    /// False: the client has gone or was too slow; write no more.
    virtual awaitable<bool> write(std::string_view chunk) = 0;
    /// The server is draining: end the body at the next chance.
    [[nodiscard]] virtual bool stopping() const = 0;
};

/// One response. Date, Content-Length, Transfer-Encoding and Connection are the server's business.
class response {
public:
    int status = 200;
    std::string body;
    /// When set, `body` is ignored and this coroutine writes it in chunks.
    std::function<awaitable<void>(body_writer&)> stream;
    /// The connection is closed after this response.
    bool close = false;

    /// Appends a header. Throws std::invalid_argument when name or value holds a control character, so that
    /// no caller can inject a header.
    void add_header(std::string_view name, std::string_view value);
    /// The headers so far, each ended by CR LF.
    [[nodiscard]] std::string const& header_block() const { return header_block_; }
    /// As new, with its memory kept.
    void clear();

private:
    std::string header_block_;
};

/// Answers requests. Called on many threads at once; anything it throws becomes a 500 that leaks nothing.
class request_handler {
public:
    virtual ~request_handler() = default;
    virtual awaitable<void> handle(request const& from, response& to) = 0;
    /// Bytes that the body of such a request may have; asked once its headers are read.
    [[nodiscard]] virtual std::size_t body_bytes_max(request const& from) const = 0;
};

}  // namespace linkledger::api
