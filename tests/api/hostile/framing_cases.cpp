// Request smuggling and broken HTTP. The body is a command that would be carried out if it got through.

#include "tests/api/hostile/hostile.h"

namespace linkledger::tests {
namespace {

using namespace std::string_literals;

/// A POST of a good command, with these framing headers and these bytes as its body.
std::string framed(hostile_world const& w, std::string const& headers, std::string const& body) {
    return start_of("POST", "/v1/commands/CreateLink", w.admin_key) + headers + "\r\n" + body;
}

std::string chunk(std::string const& body) {
    char size[20];
    std::snprintf(size, sizeof size, "%zx", body.size());
    return std::string{size} + "\r\n" + body + "\r\n0\r\n\r\n";
}

void add_lengths(hostile_cases& to, hostile_world const& w) {
    auto const body = good_link(w);
    auto const length = std::to_string(body.size());
    auto const smuggled = command("CreateLink", w.admin_key, body);
    auto const add = [&](char const* name, std::string const& headers, int status = 400) {
        to.push_back({name, framed(w, headers, body) + smuggled, status,
                      status == 400 ? "malformed_request" : "transfer_encoding_unsupported"});
    };
    add("a length and a coding", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n");
    add("a coding and a length", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n");
    add("two lengths that differ", "Content-Length: " + length + "\r\nContent-Length: 0\r\n");
    add("the same length twice", "Content-Length: " + length + "\r\nContent-Length: " + length + "\r\n");
    add("a list of lengths", "Content-Length: " + length + ", " + length + "\r\n");
    add("a length with a plus", "Content-Length: +" + length + "\r\n");
    add("a negative length", "Content-Length: -" + length + "\r\n");
    add("a hexadecimal length", "Content-Length: 0x4\r\n");
    add("a length beyond 64 bits", "Content-Length: 99999999999999999999999\r\n");
    add("a length with a fraction", "Content-Length: 4.0\r\n");
    add("an empty length", "Content-Length: \r\n");
    add("two numbers in a length", "Content-Length: 4 4\r\n");
    add("a space before a length's colon", "Content-Length : " + length + "\r\n");
    add("a tab before a coding's colon", "Transfer-Encoding\t: chunked\r\n");
    add("an unknown coding", "Transfer-Encoding: xchunked\r\n", 501);
    add("a coding before chunked", "Transfer-Encoding: gzip, chunked\r\n", 501);
    add("chunked twice", "Transfer-Encoding: chunked, chunked\r\n", 501);
    add("chunked with a parameter", "Transfer-Encoding: chunked;q=1\r\n", 501);
    add("chunked in quotes", "Transfer-Encoding: \"chunked\"\r\n", 501);
    add("an empty coding", "Transfer-Encoding: \r\n", 501);
    add("the identity coding", "Transfer-Encoding: identity\r\n", 501);
    add("two codings", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", 501);
    add("a folded coding", "Transfer-Encoding: chun\r\n ked\r\n", 501);
}

void add_chunks(hostile_cases& to, hostile_world const& w) {
    auto const body = good_link(w);
    auto const add = [&](char const* name, std::string const& chunks, int status = 400,
                         std::string code = "malformed_request") {
        to.push_back({name, framed(w, "Transfer-Encoding: chunked\r\n", chunks), status, std::move(code)});
    };
    add("a chunk's size that is no number", "zz\r\n" + body);
    add("a negative chunk", "-5\r\n" + body + "\r\n0\r\n\r\n");
    add("a chunk's size with 0x", "0x" + chunk(body));
    add("a chunk beyond 64 bits", "fffffffffffffffff\r\n" + body);
    add("an empty chunk size", "\r\n" + body + "\r\n0\r\n\r\n");
    add("a chunk longer than it says", "1\r\n" + body + "\r\n0\r\n\r\n");
    add("a space before a chunk's size", " " + chunk(body));
    // No line's end, so the size never ends either, and the request is never whole.
    add("a line feed alone after a chunk's size", "2\n{}\n0\n\n", 0, "");
    add("a control in a chunk's extension", "2;a=\x01\r\n{}\r\n0\r\n\r\n");
    add("a chunk over the limit", "100001\r\n", 413, "body_too_large");
    add("chunks without their end", "2\r\n{}\r\n", 0, "");
    add("an endless extension of a chunk", "2;" + std::string(40'000, 'a') + "\r\n{}\r\n0\r\n\r\n");
    to.push_back({"chunks in HTTP/1.0",
                  "POST /v1/commands/CreateLink HTTP/1.0\r\nAuthorization: Bearer " + w.admin_key +
                      "\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(body),
                  501, "transfer_encoding_unsupported"});
    to.push_back({"too much", framed(w, "Content-Length: 1048577\r\n", ""), 413, "body_too_large"});
    to.push_back({"a body that breaks off", framed(w, "Content-Length: 5000\r\n", body), 0, ""});
    to.push_back({"no length", framed(w, "", body), 400, "invalid_input"});
    to.push_back({"an expectation of miracles", framed(w, "Expect: miracles\r\nContent-Length: 2\r\n", "{}"),
                  417, "expectation_failed"});
}

void add_lines(hostile_cases& to, hostile_world const& w) {
    auto const key = "Authorization: Bearer " + w.admin_key + "\r\n";
    auto const add = [&](char const* name, std::string bytes, int status = 400,
                         std::string code = "malformed_request") {
        to.push_back({name, std::move(bytes), status, std::move(code)});
    };
    auto const with_line = [&](std::string const& line) { return get("/v1/links", w.admin_key, line); };
    add("line feeds alone", "GET / HTTP/1.1\nHost: x\n\n", 505, "http_version_unsupported");
    add("a line feed alone between headers", with_line("X-A: b\nX-C: d\r\n"));
    add("a carriage return in a header", with_line("X-A: b\rX-C: d\r\n"));
    add("a line without a colon", with_line("nothing\r\n"));
    add("a header without a name", with_line(": value\r\n"));
    add("a space before the colon", with_line("X-A : b\r\n"));
    add("a space in a name", with_line("X A: b\r\n"));
    add("a control in a name", with_line("X\x01: b\r\n"));
    add("a NUL in a name", with_line("X\0: b\r\n"s));
    add("a NUL in a value", with_line("X-A: b\0c\r\n"s));
    add("a bell in a value", with_line("X-A: b\x07\r\n"));
    add("a delete in a value", with_line("X-A: b\x7F\r\n"));
    add("a fold before the first header", "GET / HTTP/1.1\r\n Host: x\r\n\r\n");
    add(
        "more headers than any client has",
        [&] {
            std::string many;
            for (int i = 0; i < 200; ++i) many += "X-" + std::to_string(i) + ": a\r\n";
            return with_line(many);
        }(),
        431, "headers_too_large");
    add("a header of 17,000 bytes", with_line("X-A: " + std::string(17'000, 'a') + "\r\n"), 431,
        "headers_too_large");
    add("a header's name of 20,000 bytes", with_line(std::string(20'000, 'a') + ": b\r\n"), 431,
        "headers_too_large");
    add("headers without end", with_line("X-A: " + std::string(200'000, 'a')), 431, "headers_too_large");
    add("no host", "GET /v1/links HTTP/1.1\r\n" + key + "\r\n");
    add("two hosts", with_line("Host: other.example\r\n"));
    add("a host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n");
    add("a host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n");
    add("a host with a user", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n");
    add("no version", "GET /\r\n\r\n");
    add("HTTP/0.9", "GET / HTTP/0.9\r\nHost: x\r\n\r\n", 505, "http_version_unsupported");
    add("HTTP/1.2", "GET / HTTP/1.2\r\nHost: x\r\n\r\n", 505, "http_version_unsupported");
    add("HTTP/2", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505, "http_version_unsupported");
    add("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "http_version_unsupported");
    add("a version in lower case", "GET / http/1.1\r\nHost: x\r\n\r\n", 505, "http_version_unsupported");
    add("a version with more digits", "GET / HTTP/1.10\r\nHost: x\r\n\r\n", 505, "http_version_unsupported");
    add("a space before the method", " GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    add("two spaces before the target", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n");
    add("tabs between the parts", "GET\t/\tHTTP/1.1\r\nHost: x\r\n\r\n");
    add("a NUL in the method", "GE\0T / HTTP/1.1\r\nHost: x\r\n\r\n"s);
    add("a method with a parenthesis", "GET( / HTTP/1.1\r\nHost: x\r\n\r\n");
    add("a greeting of TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"s);
    add("a greeting of SOCKS", "\x05\x01\x00\r\n\r\n"s);
    add("a request line that breaks off", "GET /v1/links HT", 0, "");
    add("a head that breaks off", "GET / HTTP/1.1\r\nHost: x\r\nX-A", 0, "");
}

}  // namespace

hostile_cases framing_cases(hostile_world const& w) {
    hostile_cases all;
    add_lengths(all, w);
    add_chunks(all, w);
    add_lines(all, w);
    return all;
}

}  // namespace linkledger::tests
