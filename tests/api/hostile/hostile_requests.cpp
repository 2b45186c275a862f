// Raw requests, put together by hand: no client library would send most of them.

#include "tests/api/hostile/hostile.h"

namespace linkledger::tests {

std::string start_of(std::string_view method, std::string_view target, std::string_view key) {
    std::string head{method};
    head.append(" ").append(target).append(" HTTP/1.1\r\nHost: ll.example\r\n");
    if (!key.empty()) head.append("Authorization: Bearer ").append(key).append("\r\n");
    return head;
}

std::string get(std::string_view target, std::string_view key, std::string_view headers) {
    return start_of("GET", target, key).append(headers).append("\r\n");
}

std::string post(std::string_view target, std::string_view key, std::string_view body,
                 std::string_view headers) {
    auto request = start_of("POST", target, key).append(headers);
    request += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    return request.append(body);
}

std::string command(std::string_view name, std::string_view key, std::string_view data,
                    std::string_view headers) {
    return post("/v1/commands/" + std::string{name}, key, data, headers);
}

std::string good_link(hostile_world const& w) {
    return R"({"workspace_id":")" + w.workspace + R"(","url":"https://example.com/"})";
}

}  // namespace linkledger::tests
