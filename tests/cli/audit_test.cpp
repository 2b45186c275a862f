// `linkledger audit` against a served log, with a second verifier that shares no code with ours.

#include "eventlog/merkle/note.h"
#include "eventlog/merkle/tile_path.h"
#include "paths.h"
#include "projections/read_store.h"
#include "tests/cli/served.h"
#include "tests/support/read_file.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace linkledger::test {
namespace {

namespace fs = std::filesystem;
namespace merkle = eventlog::merkle;
using testing::HasSubstr;

void write_file(fs::path const& path, std::string const& bytes) {
    fs::create_directories(path.parent_path());
    std::ofstream{path, std::ios::binary} << bytes;
}

/// Go's verifier, built once; empty where there is no Go.
std::string const& go_verifier() {
    static temp_folder const folder;
    static std::string const built = [] {
        std::string const source = LINKLEDGER_SOURCE_DIR "/tests/verifier/main.go";
        std::string const path = folder.file("verifier");
        std::string const command =
            "GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS= GOCACHE=" + folder.file("cache") +
            " go build -o " + path + " " + source + " > " + folder.file("log") + " 2>&1";
        bool const has_go = std::system("command -v go > /dev/null 2>&1") == 0 &&
                            fs::exists("/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog");
        if (!has_go) return std::string{};
        EXPECT_EQ(std::system(command.c_str()), 0) << read_file(folder.file("log"));
        return path;
    }();
    return built;
}

class Audit : public OnBothBackends {
protected:
    /// A workspace, links and clicks: more events than two full tiles.
    void fill(served& at) {
        auto client = at.client();
        workspace_ = create_workspace(client);
        std::string bulk = "[";
        for (int i = 0; i < 300; ++i)
            bulk += std::string{i == 0 ? "" : ","} + R"({"command":"CreateLink","data":{"workspace_id":")" +
                    workspace_ + R"(","url":"https://example.com/)" + std::to_string(i) + "\"}}";
        EXPECT_EQ(client.send("POST", "/v1/commands", bulk + "]").status, 200);
        auto const code = create_link(client, workspace_, "https://example.com/clicked");
        http_client visitor{at.port()};
        for (int i = 0; i < 250; ++i) EXPECT_EQ(visitor.get("/" + code).status, 302);
    }

    /// The checkpoint, once it covers everything.
    merkle::checkpoint signed_head(served& at) {
        note_ = signed_note(at);
        return merkle::parse_checkpoint(note_).value_or(merkle::checkpoint{});
    }

    /// Everything that is published, as files.
    void fetch(served& at, merkle::checkpoint const& head, fs::path const& into) {
        http_client anyone{at.port()};
        write_file(into / "checkpoint", note_);
        auto const get = [&](merkle::tile_address const& tile) {
            auto const path = merkle::to_path(tile);
            auto const answer = anyone.get("/log/" + path);
            ASSERT_EQ(answer.status, 200) << path;
            EXPECT_EQ(answer.headers.at("content-type"), "application/octet-stream");
            EXPECT_THAT(answer.headers.at("cache-control"), HasSubstr("immutable"));
            write_file(into / path, answer.body);
        };
        for (int level = 0; merkle::hashes_at(level, head.size) > 0; ++level)
            for (std::int64_t n = 0; n * 256 < merkle::hashes_at(level, head.size); ++n) {
                auto const width = std::min<std::int64_t>(256, merkle::hashes_at(level, head.size) - n * 256);
                get({false, level, n, width});
                if (level == 0) get({true, 0, n, width});
            }
    }

    std::string workspace_;
    std::string note_;
};

TEST_P(Audit, VerifiesTheServedLogFromStoreUrlAndBundle) {
    site const at{GetParam()};
    served running{at};
    fill(running);
    auto const earlier = signed_head(running);
    auto const kept = at.folder().file("kept-checkpoint");
    write_file(kept, note_);
    create_link(*std::make_unique<http_client>(running.port(), at.key()), workspace_,
                "https://example.com/more");
    auto const head = signed_head(running);
    EXPECT_GT(head.size, earlier.size);

    auto const key = linkledger({"audit", "key"}, at.environment());
    ASSERT_EQ(key.exit_code, 0) << key.err;
    auto const vkey = key.out.substr(0, key.out.find('\n'));
    EXPECT_TRUE(merkle::parse_verifier_key(vkey));

    auto const bundle = at.folder().file("log.tar.zst");
    auto const exported = linkledger({"audit", "export", "--into", bundle}, at.environment());
    ASSERT_EQ(exported.exit_code, 0) << exported.err;

    auto const url = "http://127.0.0.1:" + std::to_string(running.port());
    std::vector<std::vector<std::string>> const ways{{"--since", kept},
                                                     {"--url", url, "--key", vkey, "--since", kept},
                                                     {"--bundle", bundle, "--key", vkey}};
    for (auto const& way : ways) {
        std::vector<std::string> arguments{"audit", "verify", "--json"};
        arguments.insert(arguments.end(), way.begin(), way.end());
        auto const done = linkledger(arguments, at.environment());
        ASSERT_EQ(done.exit_code, 0) << done.out << done.err;
        auto const answer = boost::json::parse(done.out);
        EXPECT_TRUE(answer.at("ok").as_bool());
        EXPECT_TRUE(answer.at("signature_checked").as_bool());
        EXPECT_GE(answer.at("size").to_number<std::int64_t>(), head.size);
    }
    auto const compare = [&] { return linkledger({"audit", "verify", "--read-models"}, at.environment()); };
    auto client = running.client();
    EXPECT_EQ(client.get("/v1/links?after=" + std::to_string(head.size)).status, 200);
    EXPECT_EQ(compare().exit_code, 0) << compare().out << compare().err;
    auto const stranger = "other" + vkey.substr(vkey.find('+'));
    EXPECT_EQ(linkledger({"audit", "verify", "--url", url, "--key", stranger}, at.environment()).exit_code, 1)
        << "no verifier key";
    EXPECT_EQ(running.stop().exit_code, 0);

    auto bytes = read_file(bundle);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
    write_file(bundle, bytes);
    EXPECT_EQ(linkledger({"audit", "verify", "--bundle", bundle}, at.environment()).exit_code, 1);
}

TEST_P(Audit, ServesALogThatAnotherVerifierAccepts) {
    site const at{GetParam()};
    served running{at};
    fill(running);
    auto const head = signed_head(running);
    auto const folder = fs::path{at.folder().file("published")};
    fetch(running, head, folder);
    auto client = running.client();
    std::string proofs;
    for (std::int64_t const position : {std::int64_t{1}, std::int64_t{256}, std::int64_t{257}, head.size}) {
        auto const answer = client.send("GET", "/v1/events/" + std::to_string(position) + "/proof", {},
                                        {{"Accept", "text/plain"}});
        ASSERT_EQ(answer.status, 200) << answer.body;
        auto const file = folder / ("proof-" + std::to_string(position));
        write_file(file, answer.body);
        proofs += " " + file.string();
    }
    auto const key = linkledger({"audit", "key"}, at.environment());
    if (go_verifier().empty()) GTEST_SKIP() << "no Go here, or no golang-golang-x-mod-dev";
    auto const log = at.folder().file("verifier.log");
    auto const command = [&] {
        return go_verifier() + " " + folder.string() + " " + key.out.substr(0, key.out.find('\n')) + " 1000" +
               proofs + " > " + log + " 2>&1";
    };
    EXPECT_EQ(std::system(command().c_str()), 0) << read_file(log);
    EXPECT_THAT(read_file(log), HasSubstr("all well"));

    // It is no rubber stamp.
    auto const entries = folder / "tile/entries/000";
    auto bytes = read_file(entries);
    bytes[1'000] = static_cast<char>(bytes[1'000] ^ 1);
    write_file(entries, bytes);
    EXPECT_NE(std::system(command().c_str()), 0);
}

TEST(AuditOverHttps, BelievesAServerWhoseCertificateIsTrusted) {
    temp_folder const folder;
    auto const certificate = folder.file("certificate.pem");
    auto const make =
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext "
        "subjectAltName=DNS:localhost -keyout " +
        folder.file("key.pem") + " -out " + certificate + " > " + folder.file("openssl.log") + " 2>&1";
    ASSERT_EQ(std::system(make.c_str()), 0) << read_file(folder.file("openssl.log"));
    write_file(folder.file("log/checkpoint"), "no note\n");
    write_file(folder.file("serve.py"),
               "import http.server, ssl, sys, os\n"
               "os.chdir(sys.argv[1])\n"
               "server = http.server.HTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler)\n"
               "context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
               "context.load_cert_chain('certificate.pem', 'key.pem')\n"
               "server.socket = context.wrap_socket(server.socket, server_side=True)\n"
               "print(server.server_address[1], flush=True)\n"
               "server.serve_forever()\n");
    process server{{"/usr/bin/python3", folder.file("serve.py"), folder.path()}, {}};
    for (int i = 0; i < 1'000 && server.out().find('\n') == std::string::npos; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    auto const url = "https://localhost:" + std::to_string(std::stoi(server.out()));
    auto const ask = [&](variables const& with) {
        return linkledger({"audit", "verify", "--url", url}, with);
    };
    auto const trusted = ask({{"SSL_CERT_FILE", certificate}});
    EXPECT_EQ(trusted.exit_code, 1);
    EXPECT_THAT(trusted.out + trusted.err, HasSubstr("checkpoint")) << "it was read, and is none";
    auto const strange = ask({});
    EXPECT_EQ(strange.exit_code, 1);
    EXPECT_THAT(strange.err, HasSubstr("certificate verify failed"));
}

TEST_P(Audit, GoesOnWithTheSameKeyAndTreeAfterAKill) {
    site const at{GetParam()};
    served running{at};
    fill(running);
    auto const before = signed_head(running);
    auto const kept = at.folder().file("kept-checkpoint");
    write_file(kept, note_);
    running.kill9();
    running.start();
    create_link(*std::make_unique<http_client>(running.port(), at.key()), workspace_,
                "https://example.com/more");
    EXPECT_GT(signed_head(running).size, before.size);
    auto const done = linkledger({"audit", "verify", "--since", kept}, at.environment());
    EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
    EXPECT_THAT(done.out, HasSubstr("Everything holds"));
}

TEST(AuditOfReadModels, FindsACountThatTheLogDoesNotExplain) {
    site const at{"sqlite"};
    served running{at};
    auto client = running.client();
    auto const workspace = create_workspace(client);
    auto const code = create_link(client, workspace, "https://example.com/");
    http_client visitor{running.port()};
    EXPECT_EQ(visitor.get("/" + code).status, 302);
    auto const head = json_of(client.get("/v1/events?limit=1")).at("head").to_number<std::int64_t>();
    EXPECT_EQ(client.get("/v1/links?after=" + std::to_string(head)).status, 200);
    EXPECT_EQ(client.get("/v1/workspaces/" + workspace + "/audit-logs?after=" + std::to_string(head)).status,
              200);
    EXPECT_EQ(running.stop().exit_code, 0);
    auto const check = [&] { return linkledger({"audit", "verify", "--read-models"}, at.environment()); };
    EXPECT_EQ(check().exit_code, 0) << check().out << check().err;

    auto const change = [&](std::string const& projection, std::string const& sql) {
        auto const path = projections::read_model_path(at.environment().at("DB_PATH"), projection,
                                                       projection == "links" ? 2 : 1);
        EXPECT_EQ(sql::open_sqlite(path, {})->execute(sql), 1) << sql;
    };
    change("links", "UPDATE links_v2 SET total_clicks = total_clicks + 1");
    EXPECT_THAT(check().out, HasSubstr("total_clicks is 2, the log has 1"));
    change("links", "UPDATE links_v2 SET total_clicks = total_clicks - 1");
    change("accounts", "UPDATE workspace_members_v1 SET role = 'viewer'");
    EXPECT_THAT(check().out, HasSubstr("the log has \"owner\""));
    change("audit_logs", "DELETE FROM audit_logs_v1 WHERE action = 'link.created'");
    auto const found = check();
    EXPECT_EQ(found.exit_code, 1);
    EXPECT_THAT(found.out, HasSubstr("the row of link.created is missing"));
}

/// The lines that show a command.
std::vector<std::string> commands_in(std::string const& text) {
    std::vector<std::string> commands;
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with("$ ") && !line.starts_with("$ LL=")) commands.push_back(line);
    return commands;
}

TEST_P(Audit, GoesAsItsDocumentShowsIt) {
    site const at{GetParam()};
    served const running{at};
    process script{{LINKLEDGER_SOURCE_DIR "/docs/audit_session.sh",
                    "http://127.0.0.1:" + std::to_string(running.port()), at.key(), LINKLEDGER_EXECUTABLE},
                   at.environment()};
    auto const done = script.wait();
    ASSERT_EQ(done.exit_code, 0) << done.out << done.err;
    EXPECT_THAT(done.out, HasSubstr(R"({"url":"https://shop.example/summer","total_clicks":0})"));
    EXPECT_THAT(done.out, HasSubstr("[('audited', 'https://shop.example/summer', 0)]"));
    EXPECT_THAT(done.out, HasSubstr("erased: a person"));
    EXPECT_THAT(done.out, testing::EndsWith("events.\n"));
    EXPECT_EQ(commands_in(done.out), commands_in(read_file(LINKLEDGER_SOURCE_DIR "/docs/audit.md")))
        << "docs/audit.md shows another session; run docs/audit_session.sh";
}

LINKLEDGER_ON_BOTH_BACKENDS(Audit);

}  // namespace
}  // namespace linkledger::test
