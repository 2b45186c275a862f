// The life of a connection. Limits and deadlines come from server_options.

#include "api/session.h"

#include "api/problem.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <spdlog/spdlog.h>

#include <charconv>
#include <cstring>

namespace linkledger::api {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::size_t first_read_bytes = 4'096;

/// `HTTP/1.1 302 Found\r\n`, made once per status.
[[nodiscard]] std::string const& status_line(int status) {
    static auto const lines = [] {
        std::array<std::string, 600> all;
        for (int code = 100; code < 600; ++code)
            all[static_cast<std::size_t>(code)] =
                "HTTP/1.1 " + std::to_string(code) + " " + std::string{status_text(code)} + "\r\n";
        return all;
    }();
    return lines[static_cast<std::size_t>(status)];
}

void append_number(std::string& to, std::size_t number, int base) {
    std::array<char, 24> digits;
    auto const end = std::to_chars(digits.data(), digits.data() + digits.size(), number, base).ptr;
    to.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

}  // namespace

session::session(worker& on, socket_type socket, std::string remote)
    : on_(on),
      socket_(std::move(socket)),
      remote_(std::move(remote)),
      parser_({on.options.target_bytes_max, on.options.header_bytes_max, on.options.headers_max}, on.handler,
              remote_) {
    on_.sessions.push_back(this);
    place_ = std::prev(on_.sessions.end());
    enter(phase::idle);
}

session::~session() {
    on_.sessions.erase(place_);
    on_.ended(remote_);
}

awaitable<void> session::run(std::shared_ptr<session> self) {
    error_code ec;
    self->socket_.set_option(asio::ip::tcp::no_delay(true), ec);
    self->socket_.non_blocking(true, ec);
    while (co_await self->read_request()) {
        co_await self->respond();
        if (!self->keep_alive_ || self->gone_) break;
        self->parser_.reset();
        self->response_.clear();
        self->enter(phase::idle);
        if (self->on_.draining && self->in_begin_ == self->in_end_) break;
    }
    if (!self->gone_) co_await self->linger();
    self->socket_.close(ec);
}

/// True: there is a request to be answered. An error of the client's is answered here.
awaitable<bool> session::read_request() {
    for (;;) {
        if (in_begin_ < in_end_) {
            auto const progress = parser_.feed({in_.data() + in_begin_, in_end_ - in_begin_});
            in_begin_ += progress.consumed;
            if (progress.state == request_parser::state::complete) co_return true;
            if (progress.state == request_parser::state::failed) break;
            if (phase_ == phase::idle && parser_.started()) enter(phase::header);
            if (phase_ == phase::header && parser_.header_done()) enter(phase::body);
            if (parser_.header_done() && parser_.take_expectation()) {
                std::string_view const go_on = "HTTP/1.1 100 Continue\r\n\r\n";
                if (!co_await write_all(go_on)) co_return false;
            }
        }
        if (!make_room()) break;
        error_code ec;
        auto const room = asio::buffer(in_.data() + in_end_, in_.size() - in_end_);
        auto const got =
            co_await socket_.async_read_some(room, asio::redirect_error(asio::use_awaitable, ec));
        if (ec) {
            gone_ = !timed_out_ || phase_ == phase::idle;
            break;
        }
        in_end_ += got;
    }
    if (gone_) co_return false;
    auto const why =
        timed_out_ ? parse_error{408, "request_timeout", "The request came too slowly."} : parser_.error();
    problem const refused{why.status, std::string{why.code}, std::string{why.detail}};
    send(response_, refused);
    keep_alive_ = false;
    format_head(response_.body.size());
    out_ += response_.body;
    co_await write_all(out_);
    co_return false;
}

/// Moves what is left to the front and grows the buffer up to what a request's head may take. False: it is
/// full, so the parser could do nothing with that much.
bool session::make_room() {
    if (in_begin_ == in_end_) in_begin_ = in_end_ = 0;
    if (in_end_ < in_.size()) return true;
    if (in_begin_ > 0) {
        std::memmove(in_.data(), in_.data() + in_begin_, in_end_ - in_begin_);
        in_end_ -= in_begin_;
        in_begin_ = 0;
        return true;
    }
    auto const most = on_.options.header_bytes_max + on_.options.target_bytes_max + first_read_bytes;
    if (in_.size() >= most) return false;
    in_.resize(std::min(most, std::max(first_read_bytes, in_.size() * 2)));
    return true;
}

awaitable<void> session::respond() {
    enter(phase::handling);
    on_.requests.fetch_add(1, std::memory_order_relaxed);
    keep_alive_ = parser_.keep_alive();
    bool failed = false;
    try {
        co_await on_.handler.handle(parser_.message(), response_);
    } catch (std::exception const& bug) {
        spdlog::error("bug: {} while answering {} {}", bug.what(), method_text(parser_.message().verb),
                      parser_.message().path);
        failed = true;
    }
    if (failed) send(response_, problem{500, "internal", "Something went wrong on our side."});
    keep_alive_ = keep_alive_ && !response_.close && !on_.draining;
    if (response_.stream && parser_.message().verb != method::head) {
        co_await stream_body();
        co_return;
    }
    format_head(response_.body.size());
    if (parser_.message().verb != method::head) out_ += response_.body;
    co_await write_all(out_);
    if (out_.capacity() > 65'536) std::string{}.swap(out_);
}

void session::format_head(std::size_t content_length) {
    out_.clear();
    out_ += status_line(response_.status);
    out_ += on_.date_header;
    out_ += response_.header_block();
    if (response_.stream) {
        if (parser_.is_http_1_0())
            keep_alive_ = false;  // Its body ends with the connection.
        else
            out_ += "Transfer-Encoding: chunked\r\n";
    } else {
        out_ += "Content-Length: ";
        append_number(out_, content_length, 10);
        out_ += "\r\n";
    }
    if (!keep_alive_)
        out_ += "Connection: close\r\n";
    else if (parser_.is_http_1_0())
        out_ += "Connection: keep-alive\r\n";
    out_ += "\r\n";
}

awaitable<void> session::stream_body() {
    format_head(0);
    if (!co_await write_all(out_)) co_return;
    bool failed = false;
    try {
        co_await response_.stream(*this);
    } catch (std::exception const& bug) {
        spdlog::error("bug: {} while streaming {}", bug.what(), parser_.message().path);
        failed = true;
    }
    // A body that broke off must not look complete: the connection ends without the last chunk.
    if (failed) gone_ = true;
    if (gone_ || parser_.is_http_1_0()) co_return;
    std::string_view const last_chunk = "0\r\n\r\n";
    co_await write_all(last_chunk);
}

awaitable<bool> session::write(std::string_view chunk) {
    if (gone_) co_return false;
    if (chunk.empty()) co_return true;
    out_.clear();
    if (parser_.is_http_1_0()) {
        out_ += chunk;
    } else {
        append_number(out_, chunk.size(), 16);
        out_.append("\r\n").append(chunk).append("\r\n");
    }
    bool const written = co_await write_all(out_);
    if (written) enter(phase::handling);
    co_return written;
}

bool session::stopping() const {
    return on_.draining;
}

awaitable<bool> session::write_all(std::string_view bytes) {
    // Nearly every answer fits the socket's buffer: try without waiting first.
    error_code ec;
    auto const sent = socket_.write_some(asio::buffer(bytes.data(), bytes.size()), ec);
    if (!ec && sent == bytes.size()) co_return true;
    if (ec && ec != asio::error::would_block) {
        gone_ = true;
        co_return false;
    }
    auto const before = phase_;
    enter(phase::writing);
    ec.clear();
    bytes.remove_prefix(sent);
    co_await asio::async_write(socket_, asio::buffer(bytes.data(), bytes.size()),
                               asio::redirect_error(asio::use_awaitable, ec));
    if (ec) gone_ = true;
    enter(before);
    co_return !ec;
}

/// Half-closes and reads what still comes, for a while: closing at once would reset the connection and take
/// our last answer away from a client that is still sending (RFC 9112, section 9.6).
awaitable<void> session::linger() {
    error_code ec;
    socket_.shutdown(asio::socket_base::shutdown_send, ec);
    if (ec || phase_ == phase::idle) co_return;
    enter(phase::lingering);
    in_.resize(std::max(in_.size(), first_read_bytes));
    for (std::size_t thrown_away = 0; !ec && thrown_away < (16u << 20);)
        thrown_away += co_await socket_.async_read_some(asio::buffer(in_),
                                                        asio::redirect_error(asio::use_awaitable, ec));
}

void session::enter(phase next) {
    phase_ = next;
    auto const& options = on_.options;
    switch (next) {
        case phase::idle:
            deadline_ = on_.now + options.idle_timeout;
            break;
        case phase::header:
            deadline_ = on_.now + options.header_timeout;
            break;
        case phase::body:
            deadline_ = on_.now + options.body_timeout;
            break;
        case phase::handling:  // The handler has deadlines of its own.
            deadline_ = std::chrono::steady_clock::time_point::max();
            break;
        case phase::writing:
            deadline_ = on_.now + options.write_timeout;
            break;
        case phase::lingering:
            deadline_ = on_.now + options.linger_timeout;
            break;
    }
}

void session::sweep() {
    if (on_.now < deadline_) return;
    timed_out_ = true;
    error_code ec;
    socket_.cancel(ec);
    deadline_ = on_.now + on_.options.linger_timeout;
}

void session::drain() {
    if (phase_ == phase::idle && in_begin_ == in_end_) cut();
}

void session::cut() {
    gone_ = true;
    error_code ec;
    socket_.close(ec);
}

}  // namespace linkledger::api
