// Keys, tokens and passwords of a session with everything in it: nowhere but in the one answer that gives
// them.

#include "tests/cli/served.h"
#include "tests/support/read_file.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace linkledger::test {
namespace {

namespace fs = std::filesystem;

class Secrets : public OnBothBackends {
protected:
    Secrets() {
        given_["admin key"] = at_.key();
        given_["NATS password"] = "nats-sEcret-4711";
        given_["link password"] = "pass-sEcret-4712";
        given_["wrong password"] = "wrong-sEcret-4713";
        given_["key of nobody"] = "ll_nobodysEcret4714nobodysEcret";
        given_["token of nobody"] = "token-sEcret-4715";
    }

    /// What answers to errors say, for later.
    void keep_error(http_answer const& answer) {
        EXPECT_GE(answer.status, 400) << answer.body;
        errors_ += answer.body + "\n";
    }

    /// A session that makes secrets and uses them, well and badly.
    void use_everything(served& serve) {
        auto client = serve.client();
        auto const workspace = create_workspace(client);
        auto const invited = json_of(client.command(
            "InviteMember",
            R"({"workspace_id":")" + workspace + R"(","email":"ann@example.com","role":"admin"})",
            "invite-1"));
        given_["invitation token"] = text_at(invited, "result.token");
        auto const accept = R"({"name":"Ann","token":")" + given_["invitation token"] + "\"}";
        auto const joined = json_of(client.command("AcceptInvitation", accept, "accept-1"));
        given_["member's key"] = text_at(joined, "result.api_key");
        (void)json_of(
            client.command("AcceptInvitation", accept, "accept-1"));  // Replayed: the secret, sealed.
        keep_error(client.command("AcceptInvitation", accept));
        auto const issued = json_of(client.command(
            "IssueApiKey", R"({"workspace_id":")" + workspace + R"(","name":"ci","scopes":["read"]})"));
        given_["issued key"] = text_at(issued, "result.api_key");
        auto const& password = given_["link password"];
        (void)json_of(
            client.command("CreateLink", R"({"workspace_id":")" + workspace +
                                             R"(","url":"https://example.com/","short_code":"locked",)" +
                                             R"("password":")" + password + "\"}"));
        follow("locked", given_["wrong password"], 401, client);
        follow("locked", password, 302, client);
        misuse(client, workspace);
        (void)client.get("/readyz");
        metrics_ = client.get("/metrics").body;
    }

    void follow(std::string const& code, std::string const& password, int status, http_client& client) {
        auto const answer = client.send("POST", "/" + code, "password=" + password,
                                        {{"Content-Type", "application/x-www-form-urlencoded"}});
        EXPECT_EQ(answer.status, status) << answer.body;
        if (status >= 400) errors_ += answer.body;
    }

    void misuse(http_client& client, std::string const& workspace) {
        auto const& password = given_["link password"];
        auto const head = R"({"workspace_id":")" + workspace + R"(","url":"https://example.com/")";
        keep_error(client.command("CreateLink", head + R"(,"password":")" + password + "\",,}"));
        keep_error(client.command("CreateLink", head + R"(,"password":{"a":")" + password + "\"}}"));
        keep_error(client.command("CreateLink",
                                  head + R"(,"password":")" + password + std::string(300, 'x') + "\"}"));
        keep_error(client.command("AcceptInvitation",
                                  R"({"name":"","token":")" + given_["token of nobody"] + "\"}"));
        keep_error(client.command("AcceptInvitation",
                                  R"({"name":"a","token":")" + given_["token of nobody"] + "\"}"));
        client.use_key(given_["key of nobody"]);
        keep_error(client.get("/v1/links"));
        client.use_key(given_["issued key"]);
        keep_error(client.command("CreateWorkspace", R"({"name":"b","slug":"bb"})"));
        EXPECT_EQ(client.get("/v1/links").status, 200);
        client.use_key(at_.key());
        keep_error(client.get("/v1/links?api_key=" + given_["key of nobody"]));
    }

    void expect_none_in(std::string const& text, std::string const& where) {
        for (auto const& [name, secret] : given_)
            EXPECT_EQ(text.find(secret), std::string::npos) << "the " << name << " stands in " << where;
    }

    site at_{GetParam()};
    std::map<std::string, std::string> given_;
    std::string errors_, metrics_;
};

TEST_P(Secrets, StandInNoLogErrorMetricOrFile) {
    for (std::string const format : {"text", "json"}) {
        served serve{at_,
                     {{"LOG_LEVEL", "trace"},
                      {"LOG_FORMAT", format},
                      {"NATS_URL", "nats://linkledger:" + given_["NATS password"] + "@127.0.0.1:1"}}};
        if (errors_.empty()) use_everything(serve);
        auto const ended = serve.stop();
        EXPECT_EQ(ended.exit_code, 0) << ended.err;
        EXPECT_GT(ended.err.size() + ended.out.size(), 500u) << "nothing was logged";
        expect_none_in(ended.out + ended.err, "the log");
    }
    expect_none_in(errors_, "an answer to an error");
    EXPECT_NE(metrics_.find("# HELP"), std::string::npos);
    expect_none_in(metrics_, "the metrics");
    // On SQLite the log and the read models are files of this folder, write-ahead logs included.
    for (auto const& entry : fs::recursive_directory_iterator{at_.folder().path()})
        if (entry.is_regular_file())
            expect_none_in(read_file(entry.path()), entry.path().filename().string());
}

LINKLEDGER_ON_BOTH_BACKENDS(Secrets);

}  // namespace
}  // namespace linkledger::test
