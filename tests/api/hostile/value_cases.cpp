// Values that break a rule: URLs first of all, then every other field.

#include "tests/api/hostile/hostile.h"

namespace linkledger::tests {
namespace {

/// A CreateLink whose URL is this JSON text, without its quotes.
hostile_case link_to(hostile_world const& w, std::string name, std::string const& url) {
    return {std::move(name),
            command("CreateLink", w.admin_key,
                    R"({"workspace_id":")" + w.workspace + R"(","url":")" + url + "\"}"),
            400, "invalid_input"};
}

/// A command's data with `more` behind the workspace.
hostile_case with(hostile_world const& w, std::string_view name, std::string_view wanted,
                  std::string const& more) {
    return {std::string{name},
            command(wanted, w.admin_key, R"({"workspace_id":")" + w.workspace + "\"," + more + "}"), 400,
            "invalid_input"};
}

void add_links(hostile_cases& to, hostile_world const& w) {
    auto const add = [&](std::string_view name, std::string const& more) {
        to.push_back(with(w, name, "CreateLink", R"("url":"https://example.com/",)" + more));
    };
    add("a code of 2 letters", R"("short_code":"ab")");
    add("a code of 51 letters to create", R"("short_code":")" + std::string(51, 'a') + "\"");
    add("a reserved code", R"("short_code":"v1")");
    add("a reserved code in another case", R"("short_code":"Admin")");
    add("a code with a slash", R"("short_code":"a/b")");
    add("a code with dots", R"("short_code":"..")");
    add("a code with a percent", R"("short_code":"%2e%2e")");
    add("a code with a line end", R"("short_code":"abc\r\nX-Injected: 1")");
    add("a code with a space", R"("short_code":"a b")");
    add("a code with a look-alike letter", R"("short_code":"p\u0430ypal")");
    add("a code with an invisible letter", R"("short_code":"abc\u200b")");
    add("a title of 501 characters", R"("title":")" + std::string(501, 't') + "\"");
    add("a title with a line end", R"("title":"a\r\nX-Injected: 1")");
    add("a title with an escape", R"("title":"a\u001b[2J")");
    add("a description of 5,001 characters", R"("description":")" + std::string(5'001, 'd') + "\"");
    add("a description with a bell", R"("description":"\u0007")");
    add("a script as picture", R"~("og_image_url":"javascript:alert(1)")~");
    add("data as picture", R"("favicon_url":"data:image/svg+xml,<svg/>")");
    add("a tag of 51 characters", R"("tags":[")" + std::string(51, 'a') + "\"]");
    add("an empty tag", R"("tags":[" "])");
    add("51 tags", [] {
        std::string many = R"("tags":["0")";
        for (int i = 1; i <= 50; ++i) many += ",\"" + std::to_string(i) + "\"";
        return many + "]";
    }());
    add("a tag with a line end", R"("tags":["a\nb"])");
    add("a password of 257 bytes", R"("password":")" + std::string(257, 'p') + "\"");
    add("no clicks at all", R"("max_clicks":0)");
    add("fewer clicks than none", R"("max_clicks":-1)");
    add("the least number there is", R"("max_clicks":-9223372036854775808)");
    add("a link that has expired", R"("expires_at":"2020-01-01T00:00:00Z")");
    add("a link that never expires", R"("expires_at":"9999-12-31T23:59:59Z")");
    add("a time without a zone", R"("expires_at":"2099-01-01T00:00:00")");
    add("a time of day 25", R"("expires_at":"2099-01-01T25:00:00Z")");
    add("a 30th of February", R"("expires_at":"2099-02-30T00:00:00Z")");
    add("a time as number", R"("expires_at":4102444800)");
    add("a year of five digits", R"("expires_at":"12099-01-01T00:00:00Z")");
    add("a UTM of 256 characters", R"("utm_source":")" + std::string(256, 'u') + "\"");
    add("a UTM with a line end", R"("utm_campaign":"a\r\nSet-Cookie: a=b")");
}

void add_accounts(hostile_cases& to, hostile_world const& w) {
    auto const add = [&](char const* name, std::string_view wanted, std::string const& data) {
        to.push_back({name, command(wanted, w.admin_key, data), 400, "invalid_input"});
    };
    add("a slug with a slash", "CreateWorkspace", R"({"name":"a","slug":"a/b"})");
    add("a slug in capitals", "CreateWorkspace", R"({"name":"a","slug":"ACME"})");
    add("a slug of one letter", "CreateWorkspace", R"({"name":"a","slug":"a"})");
    add("a slug of 64 letters", "CreateWorkspace", R"({"name":"a","slug":")" + std::string(64, 'a') + "\"}");
    add("a slug with a dash at its end", "CreateWorkspace", R"({"name":"a","slug":"ab-"})");
    add("an empty name", "CreateWorkspace", R"({"name":" ","slug":"fine"})");
    add("a name of 256 characters", "CreateWorkspace",
        R"({"name":")" + std::string(256, 'n') + R"(","slug":"fine"})");
    add("a name on two lines", "CreateWorkspace", R"({"name":"a\nb","slug":"fine"})");
    for (auto const* email : {"", "a", "a@", "@b.example", "a@b", "a b@c.example", "a@b@c.example",
                              "a@-b.example", "a@b..example", ".a@b.example", "a..b@c.example",
                              "a@b.example\\r\\nBcc: x@y.example", "<a@b.example>", "a@[127.0.0.1]"})
        to.push_back(with(w, "an invitation to " + std::string{email}, "InviteMember",
                          R"("role":"member","email":")" + std::string{email} + "\""));
    to.push_back(with(w, "an invitation to an endless address", "InviteMember",
                      R"("role":"member","email":")" + std::string(300, 'a') + "@b.example\""));
    to.push_back(with(w, "a role that is none", "InviteMember", R"("role":"root","email":"a@b.example")"));
    to.push_back(with(w, "a role in capitals", "InviteMember", R"("role":"Owner","email":"a@b.example")"));
    to.push_back(with(w, "a role as number", "InviteMember", R"("role":3,"email":"a@b.example")"));
    to.push_back(with(w, "a scope that is none", "IssueApiKey", R"("name":"k","scopes":["root"])"));
    to.push_back(with(w, "no scope", "IssueApiKey", R"("name":"k","scopes":[])"));
    to.push_back(with(w, "a key that has expired", "IssueApiKey",
                      R"("name":"k","scopes":["read"],"expires_at":"2020-01-01T00:00:00Z")"));
    add("a workspace that is no UUID", "RenameWorkspace", R"({"workspace_id":"1","name":"a"})");
    add("a workspace with SQL", "RenameWorkspace",
        R"({"workspace_id":"'; DROP TABLE events;--","name":"a"})");
    add("a click on nothing", "ClickLink", R"({})");
    add("a click on two things", "ClickLink", R"({"short_code":"open-link","link_id":")" + w.link + "\"}");
    add("a click long ago", "ClickLink",
        R"({"short_code":"open-link","occurred_at":"2020-01-01T00:00:00Z"})");
    add("a click to come", "ClickLink", R"({"short_code":"open-link","occurred_at":"2098-01-01T00:00:00Z"})");
    add("a click from nowhere", "ClickLink", R"({"short_code":"open-link","ip":"999.1.1.1"})");
    add("a visitor of 256 bytes", "ClickLink",
        R"({"short_code":"open-link","visitor":")" + std::string(256, 'v') + "\"}");
}

void add_others(hostile_cases& to, hostile_world const& w) {
    std::string const nobody = "01927f0e-4c1b-7c3a-9d5e-2b8f6a1c0d42";
    auto const add = [&](char const* name, std::string bytes, int status, char const* code) {
        to.push_back({name, std::move(bytes), status, code});
    };
    add("a workspace that nobody has",
        command("CreateLink", w.admin_key,
                R"({"workspace_id":")" + nobody + R"(","url":"https://example.com/"})"),
        404, "not_found");
    add("a link that nobody has", command("DeleteLink", w.admin_key, R"({"link_id":")" + nobody + "\"}"), 404,
        "not_found");
    add("a link of another workspace", command("DeleteLink", w.bound_key, R"({"link_id":")" + w.link + "\"}"),
        404, "not_found");
    add("a link into another workspace", command("CreateLink", w.bound_key, good_link(w)), 404, "not_found");
    add("a click on another workspace's link",
        command("ClickLink", w.bound_key, R"({"short_code":"open-link"})"), 404, "not_found");
    add("a token that is none", command("AcceptInvitation", "", R"({"token":"guess","name":"a"})"), 410,
        "invitation_invalid");
    add("a token of 500,000 letters",
        command("AcceptInvitation", "", R"({"token":")" + std::string(500'000, 't') + R"(","name":"a"})"),
        410, "invitation_invalid");
    add("a taken code",
        command("CreateLink", w.admin_key,
                R"({"workspace_id":")" + w.workspace +
                    R"(","url":"https://example.com/","short_code":"open-link"})"),
        409, "short_code_taken");
    add("a taken slug", command("CreateWorkspace", w.admin_key, R"({"name":"a","slug":"acme"})"), 409,
        "slug_taken");
    add("an unknown command", command("DropTables", w.admin_key, "{}"), 404, "not_found");
    add("a command in another case", command("createlink", w.admin_key, good_link(w)), 404, "not_found");
    add("a command with a line end", command("CreateLink%0A", w.admin_key, good_link(w)), 404, "not_found");
}

}  // namespace

hostile_cases url_cases(hostile_world const& w) {
    hostile_cases all;
    for (auto const* url :
         {"javascript:alert(1)", "JaVaScRiPt:alert(1)", "javascript://example.com/%0aalert(1)",
          "data:text/html,<script>alert(1)</script>", "vbscript:msgbox(1)", "file:///etc/passwd",
          "ftp://example.com/", "gopher://example.com/", "ws://example.com/", "blob:https://example.com/1",
          "view-source:https://example.com/", "intent://example.com/#Intent;end", "mailto:a@b.example",
          "about:blank", "//example.com/", "/relative", "example.com", "https:/example.com",
          "https:example.com", "http:\\\\\\\\example.com\\\\", "https://", "https:///path", "http://?",
          "https://user@example.com/", "https://user:secret@example.com/",
          "https://example.com@evil.example/", "https://%65xample.com@evil.example/", "https://exa mple.com/",
          "https://example.com/a b", "https://example.com/\\r\\nX-Injected: 1", "https://example.com/\\n",
          "https://example.com/\\t", "https://example.com/\\u0000", "https://example.com/\\u007f",
          " https://example.com/", "https://example.com/ ", "https://exam\\u0000ple.com/",
          "https://example..com/", "https://.example.com/", "https://example.com:0/",
          "https://example.com:65536/", "https://example.com:-1/", "https://example.com:80a/",
          "https://example.com:99999999999999999999/", "https://[::1/", "https://[nonsense]/",
          "https://[::1]x/", "https://exa%20mple.com/", "https://example.com<script>/",
          "https://exam|ple.com/", "https://ex{a}mple.com/", "https://example.com\\\\@evil.example/",
          // This service itself, in every spelling that a browser would take for it.
          "https://ll.example/open-link", "http://ll.example/", "https://LL.EXAMPLE/x",
          "https://ll.example./x", "https://ll.example:8443/x", "https://ll.example?x",
          "https://ll.example#x", "https://\\uff4c\\uff4c.example/x", "https://ll\\u3002example/x",
          "https://ll\\uff0eexample/x", "https://l\\u00adl.example/x", "https://l\\u200bl.example/x"})
        all.push_back(link_to(w, "a link to " + std::string{url}, url));
    all.push_back(link_to(w, "a link to nothing", ""));
    all.push_back(link_to(w, "a URL of 8,193 bytes", "https://example.com/" + std::string(8'173, 'a')));
    std::string accents;
    for (int i = 0; i < 2'000; ++i) accents += "\xC3\xA9";
    all.push_back(link_to(w, "a URL of 12,000 bytes once encoded", "https://example.com/" + accents));
    all.push_back(link_to(w, "a host of 254 letters", "https://" + std::string(254, 'a') + "/"));
    all.push_back({"an update to a script",
                   command("UpdateLink", w.admin_key,
                           R"({"link_id":")" + w.link + R"~(","url":"javascript:alert(1)"})~"),
                   400, "invalid_input"});
    all.push_back({"an update to this service",
                   command("UpdateLink", w.admin_key,
                           R"({"link_id":")" + w.link + R"(","url":"https://ll.example/open-link"})"),
                   400, "invalid_input"});
    all.push_back({"an update without a URL",
                   command("UpdateLink", w.admin_key, R"({"link_id":")" + w.link + R"(","url":null})"), 400,
                   "invalid_input"});
    return all;
}

hostile_cases value_cases(hostile_world const& w) {
    hostile_cases all;
    add_links(all, w);
    add_accounts(all, w);
    add_others(all, w);
    return all;
}

}  // namespace linkledger::tests
