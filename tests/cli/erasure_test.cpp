// What is on the disk before and after somebody is erased, byte by byte, and the past as a file.

#include "eventlog/merkle/bundle.h"
#include "eventlog/merkle/note.h"
#include "eventlog/sql/connection.h"
#include "paths.h"
#include "tests/cli/served.h"
#include "tests/support/nats_server.h"
#include "tests/support/postgres_server.h"
#include "tests/support/read_file.h"

#include <gmock/gmock.h>
#include <pqxx/pqxx>

#include <csignal>
#include <filesystem>
#include <thread>

namespace linkledger::test {
namespace {

namespace fs = std::filesystem;
namespace merkle = eventlog::merkle;
using testing::HasSubstr;
using testing::IsEmpty;

/// Files below a folder that hold the text, in any case that matters here: as it is. A server that runs
/// removes files meanwhile; then all are looked at again.
std::vector<std::string> files_with(std::string const& text, fs::path const& folder) {
    for (int tries = 100;; --tries) {
        try {
            std::vector<std::string> found;
            for (auto const& entry : fs::recursive_directory_iterator{folder})
                if (entry.is_regular_file() && read_file(entry.path()).find(text) != std::string::npos)
                    found.push_back(entry.path().string());
            return found;
        } catch (fs::filesystem_error const&) {
            if (tries == 0) throw;
        }
    }
}

class ErasureOnDisk : public OnBothBackends {
protected:
    /// Nobody else writes these.
    std::string const address_ = "ann.q8z4@example.com";
    std::string const name_ = "Annabella Q8z4";
    std::string const agent_ = "AnnsBrowser/Q8z4";
    std::string const visitor_agent_ =
        "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0 Q8z4";
    std::string const referer_ = "https://referrer-q8z4.example/private/page";
    std::vector<std::string> const ann_{address_, name_, agent_};
    std::vector<std::string> const all_{address_, name_, agent_, visitor_agent_, referer_};

    nats_server nats_;
    site const at_{GetParam()};

    [[nodiscard]] variables environment() const {
        return at_.with({{"NATS_URL", nats_.url()}, {"KEEP_IP", "full"}});
    }

    /// Ann joins and makes a link with her key; somebody clicks it. Returns her id.
    std::string live_through_a_day(served& running) {
        auto client = running.client();
        auto const workspace = create_workspace(client);
        auto const invited =
            json_of(client.command("InviteMember", R"({"workspace_id":")" + workspace + R"(","email":")" +
                                                       address_ + R"(","role":"admin"})"));
        http_client nobody{running.port()};
        auto const joined = json_of(
            nobody.send("POST", "/v1/commands/AcceptInvitation",
                        R"({"token":")" + text_at(invited, "result.token") + R"(","name":")" + name_ + "\"}",
                        {{"User-Agent", agent_}}));
        http_client ann{running.port(), text_at(joined, "result.api_key")};
        auto const made = json_of(ann.send(
            "POST", "/v1/commands/CreateLink",
            R"({"workspace_id":")" + workspace + R"(","url":"https://example.com/","short_code":"q8z4"})",
            {{"User-Agent", agent_}, {"Idempotency-Key", "once"}}));
        EXPECT_EQ(text_at(made, "result.short_code"), "q8z4");
        auto const clicked =
            nobody.send("GET", "/q8z4", {}, {{"User-Agent", visitor_agent_}, {"Referer", referer_}});
        EXPECT_EQ(clicked.status, 302);
        auto const head =
            std::to_string(json_of(client.get("/v1/events?limit=1")).at("head").to_number<long>());
        for (auto const* path : {"/v1/links?", "/v1/workspaces?"})
            EXPECT_EQ(client.get(path + ("after=" + head)).status, 200);
        EXPECT_EQ(client.get("/v1/workspaces/" + workspace + "/audit-logs?after=" + head).status, 200);
        link_ = text_at(made, "result.link_id");
        EXPECT_EQ(client.get("/v1/links/" + link_ + "/clicks?after=" + head).status, 200);
        return text_at(joined, "result.user_id");
    }

    /// Tables of the log and its store of answers, as text.
    void expect_clear_of(std::vector<std::string> const& texts) {
        if (GetParam() == "sqlite") {
            // The log's own file; read models lie in others.
            for (auto const& text : texts)
                for (auto const* file : {"linkledger.db", "linkledger.db-wal"})
                    EXPECT_EQ(read_file(at_.folder().file(file)).find(text), std::string::npos)
                        << file << text;
            return;
        }
        pqxx::connection connection{at_.environment().at("DATABASE_URL")};
        pqxx::nontransaction work{connection};
        for (char const* table :
             {"events", "idempotency", "keys", "claims", "streams", "producers", "merkle_heads"}) {
            std::string everything;
            for (auto const& row : work.exec(std::string{"SELECT t::text FROM "} + table + " AS t"))
                everything += row[0].c_str();
            for (auto const& text : texts) {
                EXPECT_EQ(everything.find(text), std::string::npos) << table << ": " << text;
                // bytea shows as hexadecimal.
                std::string hex;
                for (unsigned char const c : text) {
                    constexpr char digits[] = "0123456789abcdef";
                    hex += {digits[c >> 4], digits[c & 15]};
                }
                EXPECT_EQ(everything.find(hex), std::string::npos) << table << ": " << text;
            }
        }
    }

    fs::path data_folder() {
        if (GetParam() == "sqlite") return at_.folder().path();
        pqxx::connection connection{at_.environment().at("DATABASE_URL")};
        pqxx::nontransaction work{connection};
        auto const row = work.exec(
            "SELECT current_setting('data_directory') || '/base/' || oid FROM pg_database WHERE datname = "
            "current_database()");
        return row[0][0].c_str();
    }

    std::string link_;
};

TEST_P(ErasureOnDisk, LeavesNothingOfAPersonAndNeverHadAnythingInTheClearOutsideReadModels) {
    served running{at_, {{"NATS_URL", nats_.url()}, {"KEEP_IP", "full"}}};
    auto const user = live_through_a_day(running);
    ASSERT_TRUE([&] {
        for (int i = 0; i < 600; ++i) {
            if (linkledger({"mirror", "status"}, environment()).exit_code == 0) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds{50});
        }
        return false;
    }());

    // Never in the log, the store of answers, the mirror or a bundle.
    expect_clear_of(all_);
    for (auto const& text : all_) EXPECT_THAT(files_with(text, nats_.folder()), IsEmpty()) << text;
    ASSERT_NE(signed_note(running), "");
    auto const bundle = at_.folder().file("log.tar.zst");
    auto const exported = linkledger({"audit", "export", "--into", bundle}, environment());
    ASSERT_EQ(exported.exit_code, 0) << exported.err;
    auto const members = merkle::open_bundle(bundle).value();
    int count = 0;
    for (auto member = members(); member.value(); member = members(), ++count)
        for (auto const& text : all_)
            EXPECT_EQ(member.value()->bytes.find(text), std::string::npos) << member.value()->name;
    EXPECT_GE(count, 5) << "checkpoint, keys, entries, hashes, events";

    // In the read models it is, until it is erased and they are rewritten.
    auto const receipt_path = at_.folder().file("receipt");
    auto const erased =
        linkledger({"erase", "--email", address_, "--receipt", receipt_path, "--rewrite"}, environment());
    ASSERT_EQ(erased.exit_code, 0) << erased.err;
    auto const key = linkledger({"audit", "key"}, environment()).out;
    auto const verifier = merkle::parse_verifier_key(key.substr(0, key.find('\n')));
    auto const receipt = merkle::open_note(read_file(receipt_path), std::vector{*verifier});
    ASSERT_TRUE(receipt) << read_file(receipt_path);
    EXPECT_THAT(*receipt, HasSubstr("user: " + user));
    EXPECT_EQ(erased.out, read_file(receipt_path));

    auto client = running.client();
    EXPECT_EQ(client.get("/v1/events?limit=1000").body.find(address_), std::string::npos);
    auto const verified = linkledger({"audit", "verify", "--read-models"}, environment());
    EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
    EXPECT_EQ(linkledger({"audit", "verify", "--bundle", bundle}, environment()).exit_code, 0)
        << "proofs from before stay valid";

    EXPECT_EQ(running.stop().exit_code, 0);
    auto const folder = data_folder();
    for (auto const& text : ann_) EXPECT_THAT(files_with(text, folder), IsEmpty()) << text;
    EXPECT_EQ(linkledger({"erase", "--email", address_}, environment()).exit_code, 1) << "nobody has it";
}

TEST_P(ErasureOnDisk, OfClickDetailsIsRefusedBeforeCountsAreFinal) {
    served running{at_};
    live_through_a_day(running);
    auto const today = domain::to_utc_day(
        std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now()));
    auto const refused = linkledger({"erase", "--workspace", "acme", "--from", today}, at_.environment());
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_THAT(refused.err, HasSubstr("8 days ago"));
    auto const old =
        linkledger({"erase", "--workspace", "acme", "--from", "2020-01-01", "--to", "2020-01-31", "--json"},
                   at_.environment());
    EXPECT_EQ(old.exit_code, 0) << old.err;
    EXPECT_THAT(old.out, HasSubstr("click details of 2020-01-01 to 2020-01-31"));
    EXPECT_EQ(linkledger({"erase"}, at_.environment()).exit_code, 2);
    EXPECT_EQ(linkledger({"erase", "--workspace", "acme"}, at_.environment()).exit_code, 2);
}

TEST_P(ErasureOnDisk, OrderedOverHttpIsCarriedOutByTheServer) {
    served running{at_};
    live_through_a_day(running);
    auto client = running.client();
    auto const workspaces = json_of(client.get("/v1/workspaces"));
    auto const workspace = text_at(workspaces.at("items").at(0), "id");
    auto const ordered =
        json_of(client.command("EraseSubject", R"({"workspace_id":")" + workspace +
                                                   R"(","first_day":"2020-01-01","last_day":"2020-01-02"})"));
    auto const path = "/v1/erasures/" + text_at(ordered, "position");
    boost::json::value state;
    for (int i = 0; i < 600; ++i) {
        state = json_of(client.get(path));
        if (state.at("is_done").as_bool()) break;
        std::this_thread::sleep_for(std::chrono::milliseconds{50});
    }
    EXPECT_TRUE(state.at("is_done").as_bool());
    EXPECT_THAT(text_at(state, "receipt"), HasSubstr("linkledger erasure receipt v1"));
}

TEST_P(ErasureOnDisk, AReplayMakesTheLiveReadModelsAgainAndResumes) {
    served running{at_};
    live_through_a_day(running);
    auto client = running.client();
    auto const head = std::to_string(json_of(client.get("/v1/events?limit=1")).at("head").to_number<long>());
    auto const into = at_.folder().file("then.db");
    // Killed at whatever it was doing, and started again.
    process first{{LINKLEDGER_EXECUTABLE, "replay", "--until", head, "--into", into}, at_.environment()};
    std::this_thread::sleep_for(std::chrono::milliseconds{30});
    first.signal(SIGKILL);
    first.wait();
    if (!fs::exists(into)) {
        auto const done = linkledger({"replay", "--until", head, "--into", into}, at_.environment());
        ASSERT_EQ(done.exit_code, 0) << done.err;
    }
    auto const file = sql::open_sqlite(into, {});
    auto const link = file->query_one("SELECT total_clicks, unique_clicks FROM links WHERE id = $1", {link_},
                                      [](sql::row const& r) {
                                          return std::pair{r.integer(0), r.integer(1)};
                                      });
    ASSERT_TRUE(link);
    EXPECT_EQ(*link, (std::pair<std::int64_t, std::int64_t>{1, 1}));
    auto const which =
        file->query_one("SELECT position FROM replay", {}, [](sql::row const& r) { return r.integer(0); });
    EXPECT_EQ(std::to_string(which.value_or(0)), head);
    auto const again = linkledger({"replay", "--until", head, "--into", into}, at_.environment());
    EXPECT_EQ(again.exit_code, 1);
    EXPECT_THAT(again.err, HasSubstr("exists already"));
    EXPECT_EQ(
        linkledger({"replay", "--until", "tomorrow", "--into", into + "2"}, at_.environment()).exit_code, 1);
}

LINKLEDGER_ON_BOTH_BACKENDS(ErasureOnDisk);

}  // namespace
}  // namespace linkledger::test
