// The one file that includes Beast. Its basic_parser is driven without its containers: fields are copied into
// buffers that a connection keeps from request to request.

#include "api/request_parser.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include <algorithm>
#include <array>

namespace linkledger::api {

namespace {

namespace http = boost::beast::http;
using error_code = boost::beast::error_code;

[[nodiscard]] std::string_view view(boost::beast::string_view text) {
    return {text.data(), text.size()};
}

[[nodiscard]] method method_of(http::verb verb) {
    switch (verb) {
        case http::verb::get:
            return method::get;
        case http::verb::head:
            return method::head;
        case http::verb::post:
            return method::post;
        default:
            return method::other;
    }
}

constexpr parse_error malformed{400, "malformed_request", "The request is not valid HTTP/1.1."};
constexpr parse_error bad_target{400, "malformed_request", "The request target is not a valid path."};
constexpr parse_error bad_host{400, "malformed_request", "Exactly one valid Host header is needed."};
constexpr parse_error two_lengths{400, "malformed_request", "The length of the body is stated twice."};
constexpr parse_error bad_coding{501, "transfer_encoding_unsupported",
                                 "The only transfer coding is chunked."};
constexpr parse_error bad_version{505, "http_version_unsupported", "Use HTTP/1.1."};
constexpr parse_error target_too_long{414, "target_too_long", "The request target is too long."};
constexpr parse_error headers_too_large{431, "headers_too_large", "The request's headers are too large."};
constexpr parse_error body_too_large{413, "body_too_large", "The request's body is too large."};
constexpr parse_error bad_expectation{417, "expectation_failed", "The only expectation is 100-continue."};

[[nodiscard]] parse_error describe(error_code const& ec) {
    if (ec == http::error::header_limit) return headers_too_large;
    if (ec == http::error::body_limit) return body_too_large;
    if (ec == http::error::bad_version) return bad_version;
    return malformed;
}

/// What may stand in a Host: a name or an address, and a port (RFC 9110, section 7.2). Nothing is looked up
/// by it here, but a proxy or a cache before us may read `a/b` or `user@b` in its own way.
[[nodiscard]] bool is_host(std::string_view text) {
    static constexpr std::string_view others = "-._~!$&'()*+,;=%:[]";
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
               others.find(c) != std::string_view::npos;
    });
}

/// The path and query of a target in origin form, or in absolute form with its authority cut off (RFC 9112,
/// section 3.2.2).
[[nodiscard]] std::string_view origin_form(std::string_view target) {
    for (std::string_view scheme : {std::string_view{"http://"}, std::string_view{"https://"}}) {
        if (!equal_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
        auto const path = target.find_first_of("/?", scheme.size());
        return path == std::string_view::npos ? std::string_view{"/"} : target.substr(path);
    }
    return target;
}

/// Buffers that outlive a request, and what of the head matters for the framing.
struct collected {
    struct field_at {
        std::size_t name, value, end;
    };
    std::string target, text, decoded_path;
    std::vector<field_at> fields;
    std::string body;
    api::request message;
    std::optional<parse_error> refused;
    bool header_done = false, expects_continue = false, http_1_0 = false;
    int hosts = 0, lengths = 0, codings = 0;

    void clear() {
        target.clear();
        text.clear();
        fields.clear();
        body.clear();
        if (body.capacity() > 65'536) body.shrink_to_fit();
        message.headers.clear();
        refused.reset();
        header_done = expects_continue = http_1_0 = false;
        hosts = lengths = codings = 0;
    }
};

class beast_parser final : public http::basic_parser<true> {
public:
    beast_parser(parser_limits const& limits, request_handler const& handler, collected& into)
        : limits_(limits), handler_(handler), into_(into) {
        header_limit(static_cast<std::uint32_t>(limits.header_bytes_max + limits.target_bytes_max));
        body_limit(boost::none);  // Set once the head says what the request is.
        eager(true);
    }

private:
    using string_view_type = boost::beast::string_view;

    void refuse(parse_error const& why, error_code& ec) {
        into_.refused = why;
        ec = http::error::bad_value;
    }

    void on_request_impl(http::verb verb, string_view_type, string_view_type target, int version,
                         error_code& ec) override {
        if (target.size() > limits_.target_bytes_max) return refuse(target_too_long, ec);
        into_.message.verb = method_of(verb);
        into_.http_1_0 = version == 10;
        into_.target = origin_form(view(target));
        if (into_.target.starts_with('?')) into_.target.insert(0, 1, '/');
        if (!into_.target.starts_with('/')) return refuse(bad_target, ec);
    }

    void on_field_impl(http::field name, string_view_type name_text, string_view_type value,
                       error_code& ec) override {
        if (into_.header_done) return;  // Trailers are read and ignored.
        if (into_.fields.size() >= limits_.headers_max ||
            into_.text.size() + name_text.size() + value.size() > limits_.header_bytes_max)
            return refuse(headers_too_large, ec);
        if (!note_framing(name, view(value), ec)) return;
        auto const start = into_.text.size();
        into_.text.append(name_text.data(), name_text.size()).append(value.data(), value.size());
        into_.fields.push_back({start, start + name_text.size(), into_.text.size()});
    }

    /// Whatever two servers might read differently is refused, so that nothing can be smuggled past a proxy.
    bool note_framing(http::field name, std::string_view value, error_code& ec) {
        if (name == http::field::host) {
            if (++into_.hosts > 1 || !is_host(value)) return refuse(bad_host, ec), false;
        } else if (name == http::field::content_length) {
            if (++into_.lengths > 1 || value.find(',') != std::string_view::npos)
                return refuse(two_lengths, ec), false;
        } else if (name == http::field::transfer_encoding) {
            if (++into_.codings > 1 || into_.http_1_0 || !equal_ignoring_case(value, "chunked"))
                return refuse(bad_coding, ec), false;
        } else if (name == http::field::expect) {
            if (!equal_ignoring_case(value, "100-continue")) return refuse(bad_expectation, ec), false;
            into_.expects_continue = !into_.http_1_0;
        }
        return true;
    }

    void on_header_impl(error_code& ec) override {
        if (into_.hosts == 0 && !into_.http_1_0) return refuse(bad_host, ec);
        if (!make_views()) return refuse(bad_target, ec);
        into_.header_done = true;
        auto const limit = handler_.body_bytes_max(into_.message);
        auto const length = content_length();
        if (length && *length > limit) return refuse(body_too_large, ec);
        body_limit(limit);
    }

    bool make_views() {
        auto& message = into_.message;
        message.target = into_.target;
        auto const question = message.target.find('?');
        message.path = message.target.substr(0, question);
        message.query =
            question == std::string_view::npos ? std::string_view{} : message.target.substr(question + 1);
        auto const plain = [](char c) { return c != '%' && static_cast<unsigned char>(c) < 0x80; };
        if (!std::all_of(message.path.begin(), message.path.end(), plain)) {
            auto decoded = percent_decode(message.path);
            if (!decoded) return false;
            into_.decoded_path = std::move(*decoded);
            message.path = into_.decoded_path;
        }
        std::string_view const text = into_.text;
        for (auto const& [name, value, end] : into_.fields)
            message.headers.push_back({text.substr(name, value - name), text.substr(value, end - value)});
        return true;
    }

    void on_body_init_impl(boost::optional<std::uint64_t> const& length, error_code&) override {
        constexpr std::uint64_t believed = 65'536;  // Beyond it, memory follows the bytes that came.
        if (length) into_.body.reserve(static_cast<std::size_t>(std::min(*length, believed)));
    }
    std::size_t on_body_impl(string_view_type body, error_code&) override {
        into_.body.append(body.data(), body.size());
        return body.size();
    }
    void on_chunk_header_impl(std::uint64_t, string_view_type, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, string_view_type body, error_code&) override {
        into_.body.append(body.data(), body.size());
        return body.size();
    }
    void on_finish_impl(error_code&) override { into_.message.body = into_.body; }

    void on_response_impl(int, string_view_type, int, error_code&) override {}

    parser_limits const& limits_;
    request_handler const& handler_;
    collected& into_;
};

}  // namespace

struct request_parser::implementation {
    implementation(parser_limits const& l, request_handler const& h, std::string_view r)
        : limits(l), handler(h), remote(r) {
        reset();
    }
    void reset() {
        into.clear();
        into.message.body = {};
        into.message.remote_address = remote;
        failure = malformed;
        parser.emplace(limits, handler, into);
    }

    parser_limits limits;
    request_handler const& handler;
    std::string remote;
    collected into;
    std::optional<beast_parser> parser;
    parse_error failure;
};

request_parser::request_parser(parser_limits const& limits, request_handler const& handler,
                               std::string_view remote)
    : implementation_(std::make_unique<implementation>(limits, handler, remote)) {}
request_parser::~request_parser() = default;

request_parser::progress request_parser::feed(std::string_view bytes) {
    auto& self = *implementation_;
    progress done;
    // An empty line before a request is to be skipped (RFC 9112, section 2.2).
    while (!self.parser->got_some() && bytes.substr(done.consumed).starts_with("\r\n")) done.consumed += 2;
    auto const left = bytes.substr(done.consumed);
    if (left.empty() || (!self.parser->got_some() && left == "\r")) return done;
    while (!self.parser->is_done()) {
        error_code ec;
        auto const rest = bytes.substr(done.consumed);
        // The last chunk, `0 CRLF CRLF` at least, is still to come, and Beast asserts that it has all five.
        if (self.into.header_done && self.into.codings > 0 && rest.size() < 5) return done;
        auto const taken = self.parser->put(boost::asio::const_buffer(rest.data(), rest.size()), ec);
        done.consumed += taken;
        if (ec == http::error::need_more || (!ec && done.consumed == bytes.size())) {
            if (self.parser->is_done()) break;
            return done;
        }
        if (ec) {
            self.failure = self.into.refused.value_or(describe(ec));
            if (ec == http::error::header_limit && self.into.target.empty()) self.failure = target_too_long;
            done.state = state::failed;
            return done;
        }
        if (taken == 0) return done;
    }
    done.state = state::complete;
    return done;
}

void request_parser::reset() {
    implementation_->reset();
}

request const& request_parser::message() const {
    return implementation_->into.message;
}
bool request_parser::started() const {
    return implementation_->parser->got_some();
}
bool request_parser::header_done() const {
    return implementation_->into.header_done;
}
bool request_parser::keep_alive() const {
    return implementation_->parser->keep_alive();
}
bool request_parser::is_http_1_0() const {
    return implementation_->into.http_1_0;
}
bool request_parser::take_expectation() {
    return std::exchange(implementation_->into.expects_continue, false);
}
parse_error request_parser::error() const {
    return implementation_->failure;
}

}  // namespace linkledger::api
