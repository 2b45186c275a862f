// JSON that is none, JSON that is too much, and JSON of the wrong shape, for every command and in bulk.

#include "commands/command_bus.h"
#include "tests/api/hostile/hostile.h"

namespace linkledger::tests {
namespace {

using namespace std::string_literals;

std::string repeated(std::string_view text, std::size_t times) {
    std::string all;
    for (std::size_t i = 0; i < times; ++i) all += text;
    return all;
}

/// What no command takes as its data.
void add_for_every_command(hostile_cases& to, hostile_world const& w) {
    struct body {
        char const* name;
        std::string text;
    };
    std::vector<body> const bodies{
        {"nothing", ""},
        {"null", "null"},
        {"an array", "[]"},
        {"a text", "\"CreateLink\""},
        {"an object without fields", "{}"},
        {"an unknown field", R"({"surprise":1})"},
        {"a prototype", R"({"__proto__":{"admin":true}})"},
        {"numbers everywhere",
         R"({"workspace_id":1,"link_id":2,"name":3,"slug":4,"url":5,"token":6,"user_id":7})"},
        {"arrays deeper than the limit", repeated("[", 5'000) + repeated("]", 5'000)},
        {"what breaks off", R"({"name":"a)"}};
    for (auto const& described : commands::command_table())
        for (auto const& each : bodies)
            to.push_back({std::string{described.name} + " with " + each.name,
                          command(described.name, w.admin_key, each.text), 400, "invalid_input"});
}

void add_syntax(hostile_cases& to, hostile_world const& w) {
    auto const good = good_link(w);
    auto const open = good.substr(0, good.size() - 1);  // Without its brace.
    auto const add = [&](char const* name, std::string const& data) {
        to.push_back({name, command("CreateLink", w.admin_key, data), 400, "invalid_input"});
    };
    add("100,000 brackets", repeated("[", 100'000));
    add("100,000 objects", repeated("{\"a\":", 100'000));
    add("33 levels", open + ",\"tags\":" + repeated("[", 33) + repeated("]", 33) + "}");
    add("a key twice", open + R"(,"url":"https://example.org/"})");
    add("a key twice, once escaped", open + R"(,"\u0075rl":"https://example.org/"})");
    add("text behind the object", good + "x");
    add("two objects", good + good);
    add("a NUL behind the object", good + "\0"s);
    add("a comma too many", open + ",}");
    add("a comment", open + "/**/}");
    add("single quotes", "{'url':'https://example.com/'}");
    add("a key without quotes", "{url:\"https://example.com/\"}");
    add("a byte order mark", "\xEF\xBB\xBF" + good);
    add("UTF-16", "\xFF\xFE{\0}\0"s);
    add("not a number", open + ",\"max_clicks\":NaN}");
    add("infinity", open + ",\"max_clicks\":Infinity}");
    add("a number in hexadecimal", open + ",\"max_clicks\":0x10}");
    add("a number with a leading zero", open + ",\"max_clicks\":010}");
    add("a number with a plus", open + ",\"max_clicks\":+1}");
    add("a number beyond doubles", open + ",\"max_clicks\":1e400}");
    add("a number beyond 64 bits", open + ",\"max_clicks\":99999999999999999999}");
    add("a number just beyond 63 bits", open + ",\"max_clicks\":9223372036854775808}");
    add("a number of 100,000 digits", open + ",\"max_clicks\":" + std::string(100'000, '9') + "}");
    add("a fraction", open + ",\"max_clicks\":1.5}");
    add("a number as text", open + ",\"max_clicks\":\"5\"}");
    add("a boolean as number", open + ",\"max_clicks\":true}");
    add("an object as text", open + ",\"title\":{\"a\":1}}");
    add("an array as text", open + ",\"title\":[\"a\"]}");
    add("a number as text's place", open + ",\"title\":7}");
    add("a text as array", open + ",\"tags\":\"a\"}");
    add("an object as array", open + ",\"tags\":{\"0\":\"a\"}}");
    add("numbers in an array of texts", open + ",\"tags\":[1,2]}");
    add("null in an array of texts", open + ",\"tags\":[null]}");
    add("a control in a text", open + ",\"title\":\"a\x01\"}");
    add("a line end in a text", open + ",\"title\":\"a\nb\"}");
    add("a NUL in a text", open + ",\"title\":\"a\0b\"}"s);
    add("an escaped NUL", open + R"(,"title":"a\u0000b"})");
    add("an escaped NUL in a key", open + R"(,"ti\u0000tle":"a"})");
    add("a lone high surrogate", open + R"(,"title":"\ud800"})");
    add("a lone low surrogate", open + R"(,"title":"\udc00"})");
    add("surrogates in the wrong order", open + R"(,"title":"\udc00\ud800"})");
    add("an unknown escape", open + R"(,"title":"\x41"})");
    add("a cut escape in JSON", open + R"(,"title":"\u12"})");
    add("overlong UTF-8 in JSON", open + ",\"title\":\"\xC0\xAF\"}");
    add("a surrogate in UTF-8", open + ",\"title\":\"\xED\xA0\x80\"}");
    add("half a character in JSON", open + ",\"title\":\"\xE2\x82\"}");
    add("Latin-1", open + ",\"title\":\"caf\xE9\"}");
    add("a byte that is never UTF-8", open + ",\"title\":\"\xFF\"}");
    add("a key of another case", open + R"(,"Title":"a"})");
    add("a key with a space", open + R"(,"title ":"a"})");
    auto const long_key = ",\"" + std::string(400'000, 'k') + "\":1";
    add("a long key twice", open + long_key + long_key + "}");
    add("a key of 500,000 letters", open + ",\"" + std::string(500'000, 'k') + "\":1}");
    add("10,000 unknown keys", [&] {
        auto many = open;
        for (int i = 0; i < 10'000; ++i) many += ",\"k" + std::to_string(i) + "\":1";
        return many + "}";
    }());
}

void add_media_types(hostile_cases& to, hostile_world const& w) {
    for (auto const* type : {"text/xml", "text/plain", "multipart/form-data; boundary=x", "application/jsonp",
                             "application/json-patch+json", "application/json, text/plain", "json", "*/*"})
        to.push_back(
            {"JSON called " + std::string{type},
             command("CreateLink", w.admin_key, good_link(w), "Content-Type: " + std::string{type} + "\r\n"),
             415, "unsupported_media_type"});
    for (auto const* coding : {"gzip", "br", "deflate, gzip"})
        to.push_back({"JSON coded by " + std::string{coding},
                      command("CreateLink", w.admin_key, good_link(w),
                              "Content-Encoding: " + std::string{coding} + "\r\n"),
                      415, "unsupported_media_type"});
}

}  // namespace

hostile_cases json_cases(hostile_world const& w) {
    hostile_cases all;
    add_for_every_command(all, w);
    add_syntax(all, w);
    add_media_types(all, w);
    return all;
}

hostile_cases bulk_cases(hostile_world const& w) {
    hostile_cases all;
    auto const entry = R"({"command":"CreateLink","data":)" + good_link(w) + "}";
    auto const add = [&](char const* name, std::string const& body, std::string code = "invalid_input") {
        all.push_back({name, post("/v1/commands", w.admin_key, body), 400, std::move(code)});
    };
    add("a bulk of nothing", "", "malformed_json");
    add("an empty bulk", "[]");
    add("a bulk that is an object", entry);
    add("a bulk that is null", "null");
    add("a bulk that breaks off", "[" + entry, "malformed_json");
    add("a bulk with a comma too many", "[" + entry + ",]", "malformed_json");
    add("a bulk with a key twice", R"([{"command":"CreateLink","command":"ClickLink","data":{}}])",
        "malformed_json");
    add("a bulk with bad UTF-8", "[\"\xFF\"]", "malformed_json");
    add("a bulk with a NUL", R"([{"command":"a\u0000","data":{}}])", "malformed_json");
    add("a bulk deeper than the limit", repeated("[", 100) + repeated("]", 100), "malformed_json");
    add("a bulk of a million brackets", repeated("[", 1'000'000), "malformed_json");
    add("a bulk of 1,001", [&] {
        std::string many = "[" + entry;
        for (int i = 0; i < 1'000; ++i) many += "," + entry;
        return many + "]";
    }());
    all.push_back({"a bulk over the limit",
                   start_of("POST", "/v1/commands", w.admin_key) + "Content-Length: 8388609\r\n\r\n", 413,
                   "body_too_large"});
    all.push_back(
        {"a bulk without a key", post("/v1/commands", "", "[" + entry + "]"), 401, "unauthenticated"});
    all.push_back({"a bulk with a key that reads", post("/v1/commands", w.reader_key, "[" + entry + "]"), 403,
                   "forbidden"});
    all.push_back(
        {"a bulk as a form of several parts",
         post("/v1/commands", w.admin_key, "[" + entry + "]", "Content-Type: multipart/form-data\r\n"), 415,
         "unsupported_media_type"});
    // Answered 200, since each entry has an answer of its own; all of these are problems.
    for (auto const& [name, text] : std::vector<std::pair<char const*, std::string>>{
             {"entries that are no objects", "[1,null,\"a\",[],true]"},
             {"an entry without a command", R"([{"data":{}}])"},
             {"an entry without data", R"([{"command":"CreateLink"}])"},
             {"an entry with data that is text", R"([{"command":"CreateLink","data":"{}"}])"},
             {"an entry with an unknown command", R"([{"command":"DropTables","data":{}}])"},
             {"an entry with an unknown field", R"([{"command":"CreateLink","data":{},"admin":true}])"},
             {"an entry with an empty idempotency key",
              R"([{"command":"CreateLink","data":{},"idempotency_key":""}])"},
             {"an entry with an idempotency key of 256 letters",
              R"([{"command":"CreateLink","data":{},"idempotency_key":")" + std::string(256, 'k') + R"("}])"},
             {"an entry with a number as idempotency key",
              R"([{"command":"CreateLink","data":{},"idempotency_key":7}])"},
             {"an entry that needs no key",
              R"([{"command":"AcceptInvitation","data":{"token":"a","name":"b"}}])"}})
        all.push_back({name, post("/v1/commands", w.admin_key, text), 200, ""});
    return all;
}

}  // namespace linkledger::tests
