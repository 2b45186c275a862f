#include "tests/cli/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <unistd.h>
#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace linkledger::test {

http_client::~http_client() {
    disconnect();
}

http_answer http_client::send(std::string const& method, std::string const& target, std::string const& body,
                              std::map<std::string, std::string> const& headers) {
    if (socket_ < 0) connect();
    std::string text = method + " " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n";
    if (!bearer_.empty()) text += "Authorization: Bearer " + bearer_ + "\r\n";
    if (!headers.contains("User-Agent")) {
        text += "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0\r\n";
    }
    for (auto const& [name, value] : headers) text += name + ": " + value + "\r\n";
    if (!body.empty())
        text += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    text += "\r\n" + body;
    for (std::size_t sent = 0; sent < text.size();) {
        auto const count = ::send(socket_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
        if (count <= 0) broke("the request could not be sent");
        sent += static_cast<std::size_t>(count);
    }
    return receive(method != "HEAD");
}

http_answer http_client::command(std::string const& name, std::string const& data,
                                 std::string const& idempotency_key) {
    std::map<std::string, std::string> headers;
    if (!idempotency_key.empty()) headers["Idempotency-Key"] = idempotency_key;
    return send("POST", "/v1/commands/" + name, data, headers);
}

void http_client::connect() {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    timeval const patience{30, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    int const yes = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(port_));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) {
        broke(std::string{"no connection: "} + std::strerror(errno));
    }
}

void http_client::disconnect() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
    incoming_.clear();
}

void http_client::broke(std::string const& why) {
    disconnect();
    throw http_failed{why};
}

http_answer http_client::receive(bool has_body) {
    auto const more = [this] {
        char block[16384];
        auto const count = ::recv(socket_, block, sizeof block, 0);
        if (count <= 0) broke("the connection ended before the answer did");
        incoming_.append(block, static_cast<std::size_t>(count));
    };
    std::size_t head_end = std::string::npos;
    while ((head_end = incoming_.find("\r\n\r\n")) == std::string::npos) more();
    http_answer answer;
    answer.status = std::atoi(incoming_.c_str() + 9);
    for (std::size_t at = incoming_.find("\r\n") + 2; at < head_end;) {
        auto const end = incoming_.find("\r\n", at);
        auto const colon = incoming_.find(": ", at);
        std::string name = incoming_.substr(at, colon - at);
        for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        answer.headers[name] = incoming_.substr(colon + 2, end - colon - 2);
        at = end + 2;
    }
    auto const length = answer.headers.find("content-length");
    std::size_t const body_bytes =
        has_body && length != answer.headers.end() ? std::stoul(length->second) : 0;
    while (incoming_.size() < head_end + 4 + body_bytes) more();
    answer.body = incoming_.substr(head_end + 4, body_bytes);
    incoming_.erase(0, head_end + 4 + body_bytes);
    if (answer.headers.contains("connection") && answer.headers["connection"] == "close") disconnect();
    return answer;
}

}  // namespace linkledger::test
