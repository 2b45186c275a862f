// Headers, query parameters and visits that are refused.

#include "tests/api/hostile/hostile.h"

namespace linkledger::tests {
namespace {

using namespace std::string_literals;

void add_keys(hostile_cases& to, hostile_world const& w) {
    auto const add = [&](char const* name, std::string const& header, int status = 401,
                         std::string code = "unauthenticated") {
        to.push_back(
            {name, command("CreateLink", "", good_link(w), header + "\r\n"), status, std::move(code)});
    };
    auto const& key = w.admin_key;
    add("no key", "X-A: b");
    add("an empty key", "Authorization: ");
    add("a scheme alone", "Authorization: Bearer");
    add("a scheme and a space", "Authorization: Bearer ");
    add("another scheme than Bearer", "Authorization: Basic " + key);
    add("a key without a scheme", "Authorization: " + key);
    add("a key in a cookie", "Cookie: key=" + key);
    add("half a key", "Authorization: Bearer " + key.substr(0, key.size() / 2));
    add("a key with a letter more", "Authorization: Bearer " + key + "x");
    add("a key in another case", [&] {
        auto other = key;
        for (auto& c : other)
            c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c >= 'A' && c <= 'Z' ? c + 32 : c);
        return "Authorization: Bearer " + other;
    }());
    add("a key with a NUL's escape", "Authorization: Bearer " + key + "%00");
    add("two keys in one header", "Authorization: Bearer " + key + ", Bearer " + key);
    add("two keys in two headers", "Authorization: Bearer nothing\r\nAuthorization: Bearer " + key, 400,
        "invalid_input");
    add("a key of 10,000 letters", "Authorization: Bearer ll_" + std::string(10'000, 'a'));
    add("a key with SQL", "Authorization: Bearer ll_' OR '1'='1");
    add("a key in UTF-8",
        "Authorization: Bearer ll_\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9");
    add("a revoked key", "Authorization: Bearer " + w.revoked_key);
    add("a key that only reads", "Authorization: Bearer " + w.reader_key, 403, "forbidden");
    to.push_back({"a key in the query", get("/v1/links?api_key=" + key), 401, "unauthenticated"});
    to.push_back({"the log with a key that only reads", get("/v1/events", w.reader_key), 403, "forbidden"});
    to.push_back({"another workspace with a bound key", get("/v1/workspaces/" + w.workspace, w.bound_key),
                  404, "not_found"});
    to.push_back({"another workspace's link with a bound key", get("/v1/links/" + w.link, w.bound_key), 404,
                  "not_found"});
    to.push_back({"another workspace's log with a bound key",
                  get("/v1/events?workspace_id=" + w.workspace, w.bound_key), 404, "not_found"});
    to.push_back({"another workspace's audit log with a bound key",
                  get("/v1/workspaces/" + w.workspace + "/audit-logs", w.bound_key), 404, "not_found"});
}

void add_preconditions(hostile_cases& to, hostile_world const& w) {
    auto const add = [&](std::string const& name, std::string const& header, std::string_view wanted,
                         std::string const& data, int status = 400, std::string code = "invalid_input") {
        to.push_back({name, command(wanted, w.admin_key, data, header + "\r\n"), status, std::move(code)});
    };
    auto const update = R"({"link_id":")" + w.link + R"(","title":"new"})";
    for (auto const* tag : {"", "*", "W/\"1\"", "\"\"", "\"x\"", "\"1\", \"2\"", "\"-1\"", "\"1", "1\"",
                            "\"1.0\"", "\"0x1\"", "\" 1\"", "\"+1\"", "\"99999999999999999999\""})
        add("If-Match " + std::string{tag}, "If-Match: " + std::string{tag}, "UpdateLink", update);
    add("If-Match of another version", "If-Match: \"7\"", "UpdateLink", update, 412, "version_conflict");
    add("If-Match of the last version there is", "If-Match: \"9223372036854775807\"", "UpdateLink", update,
        412, "version_conflict");
    add("If-Match twice", "If-Match: \"1\"\r\nIf-Match: \"7\"", "UpdateLink", update);
    add("an empty Idempotency-Key", "Idempotency-Key: ", "CreateLink", good_link(w));
    add("an Idempotency-Key of 256 letters", "Idempotency-Key: " + std::string(256, 'k'), "CreateLink",
        good_link(w));
    add("an Idempotency-Key in bad UTF-8", "Idempotency-Key: \xFF\xFE", "CreateLink", good_link(w));
    add("two Idempotency-Keys", "Idempotency-Key: a\r\nIdempotency-Key: b", "CreateLink", good_link(w));
    add("two Content-Types", "Content-Type: application/json\r\nContent-Type: text/xml", "CreateLink",
        good_link(w));
}

void add_streams(hostile_cases& to, hostile_world const& w) {
    for (auto const* id : {"x", "-1", "1.5", "0x1", "99999999999999999999", "1,2", "1 2"})
        to.push_back({"Last-Event-ID " + std::string{id},
                      get("/v1/events", w.admin_key,
                          "Accept: text/event-stream\r\nLast-Event-ID: " + std::string{id} + "\r\n"),
                      400, "invalid_input"});
    to.push_back({"a stream without a key", get("/v1/events", "", "Accept: text/event-stream\r\n"), 401,
                  "unauthenticated"});
    to.push_back({"a stream of nothing",
                  get("/v1/events?limit=0", w.admin_key, "Accept: text/event-stream\r\n"), 400,
                  "invalid_input"});
}

void add_parameters(hostile_cases& to, hostile_world const& w) {
    auto const add = [&](std::string const& target, int status = 400, std::string code = "invalid_input") {
        to.push_back({target.size() > 100 ? target.substr(0, 100) + " and more" : target,
                      get(target, w.admin_key), status, std::move(code)});
    };
    for (auto const* query : {"page=0",
                              "page=-1",
                              "page=x",
                              "page=",
                              "page=1.5",
                              "page=1e3",
                              "page=0x1",
                              "page=+1",
                              "page=%201",
                              "page=99999999999999999999",
                              "page=1000001",
                              "page=1&page=2",
                              "per_page=0",
                              "per_page=101",
                              "per_page=-5",
                              "per_page=all",
                              "sort=id",
                              "sort=created_at;DROP%20TABLE%20links",
                              "sort=",
                              "sort=created_at,title",
                              "sort=CREATED_AT",
                              "order=up",
                              "order=ASC",
                              "order=asc,desc",
                              "after=-1",
                              "after=x",
                              "after=1.0",
                              "after=99999999999999999999",
                              "wait_ms=-1",
                              "wait_ms=5001",
                              "wait_ms=forever",
                              "workspace_id=1",
                              "workspace_id=",
                              "workspace_id=%27%20OR%201=1",
                              "deleted=1",
                              "deleted=TRUE",
                              "deleted=",
                              "nothing=1",
                              "search=%FF",
                              "search=%00",
                              "search=%zz",
                              "search=%E2%82",
                              "%FF=1",
                              "search[]=a",
                              "=1",
                              "Search=a"})
        add("/v1/links?" + std::string{query});
    add("/v1/links?search=" + std::string(501, 'a'));
    add("/v1/links?workspace_id=01927f0e-4c1b-7c3a-9d5e-2b8f6a1c0d42", 404, "not_found");
    add("/v1/links?" + std::string(99, 'a') + "%C3%A9=1");  // Its name is cut within a character.
    std::string many = "/v1/links?a0=1";
    for (int i = 1; i < 1'000; ++i) many += "&a" + std::to_string(i) + "=1";
    add(many);
    for (auto const* query : {"as_of=x", "as_of=-1", "as_of=", "as_of=99999999999999999999", "as_of=1000000",
                              "as_of=2098-01-01T00:00:00Z", "as_of=2020-13-01T00:00:00Z", "as_of=yesterday"})
        add("/v1/links/" + w.link + "?" + query);
    for (auto const* query : {"from=x", "to=2020-01-01", "interval=second", "interval=day,month", "from=1",
                              "from=2020-02-30T00:00:00Z"})
        add("/v1/links/" + w.link + "/stats?" + query);
    // A cursor that no list gave is that of the first page.
    for (auto const* query :
         {"cursor=x", "cursor=_", "cursor=2020-01-01T00:00:00Z_1", "cursor=%27;DROP%20TABLE%20x"})
        add("/v1/links/" + w.link + "/clicks?" + query, 200, "");
    for (auto const* query : {"cursor=%00", "is_bot=maybe", "from=never", "sort=clicked_at"})
        add("/v1/links/" + w.link + "/clicks?" + query);
    for (auto const* query : {"after=-1", "limit=0", "limit=1001", "limit=x", "workspace_id=x", "page=1",
                              "limit=99999999999999999999"})
        add("/v1/events?" + std::string{query});
    add("/v1/workspaces/" + w.workspace + "/audit-logs?user_id=me");
    add("/v1/workspaces/" + w.workspace + "/audit-logs?resource_id=*");
    add("/v1/workspaces/" + w.workspace + "/members?role=owner");
    add("/v1/links?after=9223372036854775807&wait_ms=0", 504, "projection_behind");
    // Nothing is there, and that is the answer.
    add("/v1/events?after=9223372036854775807", 200, "");
    add("/v1/links/" + w.link + "/history?after=9223372036854775807", 200, "");
    add("/v1/links?page=1000000&per_page=100", 200, "");
    add("/v1/links?search=%25%27%22%5C_%3B--", 200, "");
    add("/v1/links?search=%F0%9F%98%80", 200, "");
    // Beyond the years that are written with four digits, as PostgreSQL sees them.
    add("/v1/links/" + w.link + "/clicks?from=0000-01-01T00:00:00Z");
    add("/v1/links/" + w.link + "/clicks?from=0001-01-01T00:00:00%2B23:59");
    add("/v1/links/" + w.link + "/stats?to=9999-12-31T23:59:59-23:59");
    add("/v1/links/" + w.link + "/clicks?from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59Z", 200, "");
    add("/v1/links/" + w.link + "/stats?from=0001-01-01T00:00:00Z&interval=hour", 200, "");
}

}  // namespace

hostile_cases header_cases(hostile_world const& w) {
    hostile_cases all;
    add_keys(all, w);
    add_preconditions(all, w);
    add_streams(all, w);
    return all;
}

hostile_cases parameter_cases(hostile_world const& w) {
    hostile_cases all;
    add_parameters(all, w);
    return all;
}

hostile_cases visit_cases(hostile_world const& w) {
    hostile_cases all;
    constexpr auto form = "Content-Type: application/x-www-form-urlencoded\r\n";
    auto const locked = "/" + std::string{locked_code};
    auto const add = [&](char const* name, std::string bytes, int status, std::string code) {
        all.push_back({name, std::move(bytes), status, std::move(code)});
    };
    add("a locked link", get(locked), 401, "password_required");
    add("a locked link in a browser", get(locked, "", "Accept: text/html\r\n"), 401, "");
    add("a locked link by HEAD", start_of("HEAD", locked) + "\r\n", 401, "");
    add("a password in the query", get(locked + "?password=open+sesame"), 401, "password_required");
    add("a password in a header", get(locked, "", "Authorization: Basic b3BlbiBzZXNhbWU6\r\n"), 401,
        "password_required");
    add("the first admin's key as password", get(locked, w.admin_key), 401, "password_required");
    add("a wrong password", post(locked, "", "password=guess", form), 401, "password_wrong");
    add("an empty password", post(locked, "", "password=", form), 401, "password_wrong");
    add("a password in another case", post(locked, "", "password=Open+Sesame", form), 401, "password_wrong");
    add("a password and a space", post(locked, "", "password=open+sesame+", form), 401, "password_wrong");
    add("two passwords", post(locked, "", "password=open+sesame&password=guess", form), 401,
        "password_wrong");
    add("a password of 1,025 bytes", post(locked, "", "password=" + std::string(1'025, 'p'), form), 415,
        "unsupported_media_type");
    add("a form without a password", post(locked, "", "word=open+sesame", form), 415,
        "unsupported_media_type");
    add("a form in bad UTF-8", post(locked, "", "password=%FF", form), 415, "unsupported_media_type");
    add("a form with a NUL", post(locked, "", "password=open+sesame%00", form), 415,
        "unsupported_media_type");
    add("a form with a bad escape", post(locked, "", "password=%zz", form), 415, "unsupported_media_type");
    add("a password as JSON",
        post(locked, "", R"({"password":"open sesame"})", "Content-Type: application/json\r\n"), 415,
        "unsupported_media_type");
    add("a password in several parts",
        post(locked, "", "--x\r\n\r\nopen sesame\r\n--x--",
             "Content-Type: multipart/form-data; boundary=x\r\n"),
        415, "unsupported_media_type");
    add("a form over the limit", start_of("POST", locked) + form + "Content-Length: 1048577\r\n\r\n", 413,
        "body_too_large");
    add("a form that breaks off",
        start_of("POST", locked) + form + "Content-Length: 100\r\n\r\npassword=open", 0, "");
    add("a disabled link", get("/" + std::string{disabled_code}), 410, "link_gone");
    add("a deleted link", get("/" + std::string{deleted_code}), 410, "link_gone");
    add("a disabled link with a password", post("/" + std::string{disabled_code}, "", "password=a", form),
        410, "link_gone");
    add("a code in another case", get("/OPEN-LINK"), 404, "not_found");
    add("a code and a dot", get("/open-link."), 404, "not_found");
    add("a code and a space", get("/open-link%20"), 404, "not_found");
    add("a code and a slash", get("/open-link/"), 404, "not_found");
    add("a code and an invisible letter", get("/open-link%E2%80%8B"), 404, "not_found");
    add("a code behind two slashes", get("//open-link"), 404, "not_found");
    add("a code that nobody has", get("/no-such-code?url=https://evil.example/"), 404, "not_found");
    add("a code as a whole URL", get("/https://evil.example/"), 404, "not_found");
    add("a code that a browser asks for", get("/no-such-code", "", "Accept: text/html\r\n"), 404, "");
    add("an open link by HEAD", start_of("HEAD", "/" + std::string{open_code}) + "\r\n", 302, "");
    return all;
}

}  // namespace linkledger::tests
