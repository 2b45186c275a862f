// Paths, methods and escapes that lead nowhere.

#include "tests/api/hostile/hostile.h"

namespace linkledger::tests {
namespace {

using namespace std::string_literals;

void add_paths(hostile_cases& to, hostile_world const& w) {
    auto const add = [&](char const* name, std::string const& target, int status = 404,
                         std::string code = "not_found") {
        to.push_back({name, get(target, w.admin_key), status, std::move(code)});
    };
    constexpr auto bad = "malformed_request";
    add("dots that climb", "/../../etc/passwd");
    add("encoded dots that climb", "/%2e%2e/%2e%2e/etc/passwd");
    add("encoded slashes that climb", "/..%2f..%2fetc%2fpasswd");
    add("backslashes that climb", "/..%5c..%5cetc%5cpasswd");
    add("dots around a command", "/v1/x/../links");
    add("an empty segment", "/v1//links");
    add("a slash at the end", "/v1/links/");
    add("two slashes at the start", "//v1/links");
    add("a file of the tree", "/log/tile/../../etc/passwd");
    add("a tile that is none", "/log/tile/0/x9");
    add("a NUL", "/open-link%00", 400, bad);
    add("a NUL as it is", "/open-link\0"s, 400, bad);
    add("a cut escape", "/a%4", 400, bad);
    add("a bad escape", "/a%zz", 400, bad);
    add("a percent alone", "/%", 400, bad);
    add("overlong UTF-8", "/%C0%AF", 400, bad);
    add("half a character", "/%E2%82", 400, bad);
    add("a surrogate", "/%ED%A0%80", 400, bad);
    add("beyond Unicode", "/%F4%90%80%80", 400, bad);
    add("bad UTF-8 as it is", "/a\xC3(", 400, bad);
    add("line ends in a code", "/a%0D%0AX-Injected:%201");
    add("a code in quotes", "/'%20OR%20'1'='1");
    add("a code in tags", "/%3Cscript%3Ealert(1)%3C%2Fscript%3E");
    add("a code of 51 letters", "/" + std::string(51, 'a'));
    add("a target of 9,000 bytes", "/" + std::string(9'000, 'a'), 414, "target_too_long");
    add("a target of 64,000 bytes", "/" + std::string(64'000, 'a'), 414, "target_too_long");
    add("a query of 9,000 bytes", "/v1/links?search=" + std::string(9'000, 'a'), 414, "target_too_long");
    add("an asterisk", "*", 400, bad);
    add("an authority", "ll.example:80", 400, bad);
    add("another scheme", "ftp://ll.example/", 400, bad);
    add("an absolute target of another host's path", "http://other.example/v1/nothing");
    add("a path of no endpoint", "/v1/no/such/path");
    add("an id that is none", "/v1/links/1", 400, "invalid_input");
    add("an id in braces", "/v1/links/{id}", 400, "invalid_input");
    add("an id with SQL", "/v1/links/%27%3B%20DROP%20TABLE%20links%3B--", 400, "invalid_input");
    add("an id that nobody has", "/v1/links/00000000-0000-0000-0000-000000000000");
    add("an id of 37 characters", "/v1/links/" + w.link + "0", 400, "invalid_input");
    add("an id without dashes", "/v1/links/01927f0e4c1b7c3a9d5e2b8f6a1c0d42", 400, "invalid_input");
    add("an id in full-width digits", "/v1/links/%EF%BC%900000000-0000-0000-0000-000000000000", 400,
        "invalid_input");
    add("a position that is none", "/v1/events/one/proof", 400, "invalid_input");
    add("a position beyond 64 bits", "/v1/events/99999999999999999999/proof", 400, "invalid_input");
    add("a negative position", "/v1/events/-1/proof");
}

void add_methods(hostile_cases& to, hostile_world const& w) {
    auto const add = [&](std::string const& method, std::string const& target) {
        to.push_back({method + " of " + target, start_of(method, target, w.admin_key) + "\r\n", 405,
                      "method_not_allowed"});
    };
    for (auto const* method : {"PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "POSTS", "PROPFIND"}) {
        add(method, "/v1/links");
        add(method, "/" + std::string{open_code});
    }
    add("POST", "/v1/links");
    add("DELETE", "/v1/links/" + w.link);
    add("GET", "/v1/commands/CreateLink");
    add("POST", "/docs");
    to.push_back(
        {"CONNECT", "CONNECT ll.example:443 HTTP/1.1\r\nHost: ll.example\r\n\r\n", 400, "malformed_request"});
    to.push_back({"a method of 5,000 letters",
                  start_of(std::string(5'000, 'A'), "/v1/links", w.admin_key) + "\r\n", 405,
                  "method_not_allowed"});
    to.push_back(
        {"HEAD of a command", start_of("HEAD", "/v1/commands/CreateLink", w.admin_key) + "\r\n", 405, ""});
}

}  // namespace

hostile_cases target_cases(hostile_world const& w) {
    hostile_cases all;
    add_paths(all, w);
    add_methods(all, w);
    return all;
}

}  // namespace linkledger::tests
