// `./dev cluster` as people run it: it starts, works, and leaves nothing running.

#include "paths.h"
#include "tests/cli/served.h"
#include "tests/support/read_file.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>
#include <re2/re2.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

namespace linkledger::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

/// PostgreSQL runs as another user when the tests run as root, and must reach its data.
struct shared_folder : temp_folder {
    shared_folder() { fs::permissions(path(), fs::perms{0755}); }
};

/// The script without the build that `./dev cluster` does first. Every process that it starts inherits a
/// variable of this test's own, by which they are found.
class dev_cluster {
public:
    explicit dev_cluster(std::vector<std::string> const& options,
                         std::string const& program = LINKLEDGER_EXECUTABLE)
        : marker_("LINKLEDGER_TEST_CLUSTER=" + folder_.path()),
          run_(command(options), environment(program)) {}

    [[nodiscard]] process& script() { return run_; }
    [[nodiscard]] temp_folder const& folder() const { return folder_; }
    [[nodiscard]] bool wait_until_it_runs() {
        auto const until = std::chrono::steady_clock::now() + std::chrono::seconds{120};
        while (run_.running() && std::chrono::steady_clock::now() < until) {
            if (run_.out().find("Ctrl-C stops everything") != std::string::npos) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds{20});
        }
        return false;
    }
    /// What follows `name` in what it printed.
    [[nodiscard]] std::string told(std::string const& name) const {
        std::string value;
        RE2::PartialMatch(run_.out(), "(?m)^  " + name + " +(.*)$", &value);
        return value;
    }
    [[nodiscard]] std::vector<std::string> processes() const {
        std::vector<std::string> found;
        for (auto const& entry : fs::directory_iterator{"/proc"}) {
            auto const text = read_file(entry.path() / "environ");
            if (text.find(marker_) != std::string::npos) found.push_back(entry.path().filename().string());
        }
        return found;
    }

private:
    static std::vector<std::string> command(std::vector<std::string> const& options) {
        std::vector<std::string> all{LINKLEDGER_SOURCE_DIR "/scripts/cluster"};
        all.insert(all.end(), options.begin(), options.end());
        return all;
    }
    [[nodiscard]] variables environment(std::string const& program) const {
        return {
            {"LINKLEDGER", program}, {"TMPDIR", folder_.path()}, {"LINKLEDGER_TEST_CLUSTER", folder_.path()}};
    }

    shared_folder folder_;
    std::string marker_;
    process run_;
};

http_client client_of(std::string const& address, std::string const& key = {}) {
    return http_client{std::stoi(address.substr(address.rfind(':') + 1)), key};
}

}  // namespace

TEST(DevCluster, CountsTheFirstClickAndLeavesNothingRunning) {
    dev_cluster cluster{{}};
    ASSERT_TRUE(cluster.wait_until_it_runs()) << cluster.script().out() << cluster.script().err();
    auto first = client_of(cluster.told("api-1"), cluster.told("admin key"));
    auto second = client_of(cluster.told("api-2"), cluster.told("admin key"));
    auto const workspace = create_workspace(first);
    auto const made = json_of(first.command(
        "CreateLink", R"({"workspace_id":")" + workspace + R"(","url":"https://example.com"})"));
    EXPECT_EQ(second.get("/" + text_at(made, "result.short_code")).status, 302);
    auto const head = text_at(json_of(second.get("/v1/events?limit=1")), "head");
    auto const link =
        json_of(first.get("/v1/links/" + text_at(made, "result.link_id") + "?wait_ms=5000&after=" + head));
    EXPECT_EQ(text_at(link, "total_clicks"), "1");

    EXPECT_GE(cluster.processes().size(), 6u);
    cluster.script().signal(SIGTERM);
    auto const ended = cluster.script().wait();
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    EXPECT_THAT(ended.err, testing::Not(HasSubstr("is killed")));
    EXPECT_THAT(cluster.processes(), IsEmpty());
    EXPECT_TRUE(fs::is_empty(cluster.folder().path()));
}

TEST(DevCluster, KeepsItsDataWhereToldTo) {
    shared_folder const data;
    std::string key;
    for (auto const* const workspaces : {"0", "1"}) {
        dev_cluster cluster{{"--data", data.file("kept")}};
        ASSERT_TRUE(cluster.wait_until_it_runs()) << cluster.script().out() << cluster.script().err();
        if (key.empty()) {
            key = cluster.told("admin key");
        } else {
            EXPECT_THAT(cluster.told("admin key"), HasSubstr("was shown"));
        }
        auto client = client_of(cluster.told("api-1"), key);
        auto const head = text_at(json_of(client.get("/v1/events?limit=1")), "head");
        auto const listed = json_of(client.get("/v1/workspaces?wait_ms=5000&after=" + head));
        EXPECT_EQ(text_at(listed, "total_count"), workspaces);
        create_workspace(client, std::string{"kept-"} + workspaces);
        cluster.script().signal(SIGINT);
        EXPECT_EQ(cluster.script().wait().exit_code, 0);
        EXPECT_THAT(cluster.processes(), IsEmpty());
    }
}

TEST(DevCluster, StopsWhatItStartedWhenTheRestDoesNotStart) {
    dev_cluster cluster{{}, "/bin/false"};
    auto const ended = cluster.script().wait();
    EXPECT_EQ(ended.exit_code, 1);
    EXPECT_THAT(ended.err, HasSubstr("api-1 did not start"));
    EXPECT_THAT(cluster.processes(), IsEmpty());
    EXPECT_TRUE(fs::is_empty(cluster.folder().path()));
}

TEST(DevCluster, SaysWhatItTakes) {
    for (auto const& wrong :
         {std::vector<std::string>{"--relays", "nine"}, {"--projectors", "0"}, {"--data"}, {"up"}}) {
        auto const ended = dev_cluster{wrong}.script().wait();
        EXPECT_EQ(ended.exit_code, 2) << wrong.front();
        EXPECT_THAT(ended.err, HasSubstr("usage: ./dev cluster"));
    }
    auto const help = dev_cluster{{"--help"}}.script().wait();
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_THAT(help.out, HasSubstr("--projectors"));
}

}  // namespace linkledger::test
