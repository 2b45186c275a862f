// Plain sockets: nothing of the code under test is used to test it.

#include "tests/support/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace linkledger::tests {

namespace {

std::string lower_case(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

http_response parse_head(std::string_view head) {
    http_response parsed;
    auto line_end = head.find("\r\n");
    parsed.status = std::stoi(std::string{head.substr(9, 3)});
    for (head.remove_prefix(line_end + 2); !head.starts_with("\r\n"); head.remove_prefix(line_end + 2)) {
        line_end = head.find("\r\n");
        auto const line = head.substr(0, line_end);
        auto const colon = line.find(": ");
        parsed.headers.emplace(lower_case(std::string{line.substr(0, colon)}),
                               std::string{line.substr(colon + 2)});
    }
    return parsed;
}

}  // namespace

std::string http_response::header(std::string const& lower_case_name) const {
    auto const found = headers.find(lower_case_name);
    return found == headers.end() ? std::string{} : found->second;
}

raw_connection::raw_connection(std::uint16_t port)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    timeval const patience{20, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    int const on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(socket_, reinterpret_cast<sockaddr const*>(&address), sizeof address) != 0)
        throw std::runtime_error("cannot connect to port " + std::to_string(port));
}

raw_connection::~raw_connection() {
    if (socket_ >= 0) ::close(socket_);
}

raw_connection::raw_connection(raw_connection&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), buffered_(std::move(other.buffered_)) {}

bool raw_connection::send(std::string_view bytes) {
    while (!bytes.empty()) {
        auto const sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

void raw_connection::half_close() {
    ::shutdown(socket_, SHUT_WR);
}

bool raw_connection::fill() {
    char bytes[16'384];
    auto const got = ::recv(socket_, bytes, sizeof bytes, 0);
    if (got <= 0) return false;
    buffered_.append(bytes, static_cast<std::size_t>(got));
    return true;
}

std::string raw_connection::take(std::size_t count) {
    while (buffered_.size() < count && fill()) continue;
    auto const taken = buffered_.substr(0, count);
    buffered_.erase(0, taken.size());
    return taken;
}

std::string raw_connection::receive() {
    if (buffered_.empty()) (void)fill();
    return std::exchange(buffered_, {});
}

std::string raw_connection::receive_all() {
    while (fill()) continue;
    return std::exchange(buffered_, {});
}

std::string raw_connection::receive_until(std::string_view text) {
    while (buffered_.find(text) == std::string::npos && fill()) continue;
    auto const at = buffered_.find(text);
    return take(at == std::string::npos ? buffered_.size() : at + text.size());
}

std::string raw_connection::receive_chunks() {
    std::string body;
    for (;;) {
        auto const line = receive_until("\r\n");
        auto const size = line.empty() ? 0 : std::stoul(line, nullptr, 16);
        body += take(size);
        if (take(2) != "\r\n" || size == 0) return body;
    }
}

std::optional<http_response> raw_connection::receive_response(bool is_head) {
    auto const head = receive_until("\r\n\r\n");
    if (!head.ends_with("\r\n\r\n")) return std::nullopt;
    auto response = parse_head(head);
    if (response.status == 100) return receive_response(is_head);
    if (is_head) return response;
    if (response.header("transfer-encoding") == "chunked")
        response.body = receive_chunks();
    else if (auto const length = response.header("content-length"); !length.empty())
        response.body = take(std::stoul(length));
    return response;
}

http_client::http_client(std::uint16_t port, std::string key) : bearer(std::move(key)), port_(port) {}

http_response http_client::get(std::string const& target, http_headers const& headers) {
    return request("GET", target, "", headers);
}
http_response http_client::head(std::string const& target, http_headers const& headers) {
    return request("HEAD", target, "", headers);
}
http_response http_client::post(std::string const& target, std::string const& body,
                                http_headers const& headers) {
    return request("POST", target, body, headers);
}

http_response http_client::request(std::string const& method, std::string const& target,
                                   std::string const& body, http_headers const& headers) {
    std::string text = method + " " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n";
    for (auto const& [name, value] : headers) text += name + ": " + value + "\r\n";
    if (!bearer.empty()) text += "Authorization: Bearer " + bearer + "\r\n";
    if (!body.empty() || method == "POST") text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    text += "\r\n" + body;
    for (int attempt = 0; attempt < 2; ++attempt) {
        if (!connection_) connection_.emplace(port_);
        (void)connection_->send(text);
        auto response = connection_->receive_response(method == "HEAD");
        if (!response || response->header("connection") == "close") connection_.reset();
        if (response) return *response;
    }
    throw std::runtime_error("no answer to " + method + " " + target);
}

}  // namespace linkledger::tests
