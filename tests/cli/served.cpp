#include "tests/cli/served.h"

#include "eventlog/merkle/note.h"
#include "paths.h"
#include "tests/support/postgres_server.h"

#include <csignal>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace linkledger::test {

site::site(std::string const& backend, std::string const& url) {
    environment_["LINKLEDGER_ADMIN_KEY"] = key_;
    environment_["MASTER_KEY_FILE"] = folder_.file("master.key");
    environment_["LOG_LEVEL"] = "info";
    if (backend == "postgresql") {
        environment_["DATABASE_URL"] = url.empty() ? shared_postgres().fresh_database() : url;
        environment_["SPOOL"] = folder_.file("spool.db");
    } else {
        environment_["DB_PATH"] = folder_.file("linkledger.db");
    }
}

variables site::with(variables more) const {
    more.insert(environment_.begin(), environment_.end());
    return more;
}

served::served(site const& at, variables more)
    : environment_(at.with(std::move(more))), key_(at.key()), port_(free_port()) {
    environment_["LISTEN"] = "127.0.0.1:" + std::to_string(port_);
    start();
}

void served::kill9() {
    process_->signal(SIGKILL);
    process_->wait();
}

finished served::stop() {
    process_->signal(SIGTERM);
    return process_->wait();
}

void served::start() {
    process_ =
        std::make_unique<process>(std::vector<std::string>{LINKLEDGER_EXECUTABLE, "serve"}, environment_);
    auto const until = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    while (process_->running() && std::chrono::steady_clock::now() < until) {
        if (process_->out().find("listens on") != std::string::npos) {
            try {
                if (client().get("/readyz").status == 200) return;
            } catch (http_failed const&) {
                // Not yet.
            }
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    throw std::runtime_error{"linkledger serve is not ready:\n" + process_->out() + process_->err()};
}

boost::json::value json_of(http_answer const& answer, int status) {
    EXPECT_EQ(answer.status, status) << answer.body;
    boost::system::error_code error;
    auto value = boost::json::parse(answer.body, error);
    EXPECT_FALSE(error) << answer.body;
    return value;
}

std::string text_at(boost::json::value const& value, std::string const& path) {
    boost::json::value const* at = &value;
    std::istringstream names{path};
    for (std::string name; std::getline(names, name, '.');) {
        auto const* const object = at->if_object();
        at = object ? object->if_contains(name) : nullptr;
        if (!at) {
            ADD_FAILURE() << "no " << path << " in " << boost::json::serialize(value);
            return {};
        }
    }
    return at->is_string() ? std::string{at->as_string()} : boost::json::serialize(*at);
}

std::string signed_note(served const& at) {
    auto client = at.client();
    auto const last = json_of(client.get("/v1/events?limit=1")).at("head").to_number<std::int64_t>();
    for (int i = 0; i < 1'200; ++i) {
        auto const answer = client.get("/log/checkpoint");
        auto const head = eventlog::merkle::parse_checkpoint(answer.body);
        if (answer.status == 200 && head && head->size >= last) return answer.body;
        std::this_thread::sleep_for(std::chrono::milliseconds{50});
    }
    ADD_FAILURE() << "no head covers position " << last;
    return {};
}

std::string create_workspace(http_client& client, std::string const& slug) {
    auto const answer = client.command("CreateWorkspace", R"({"name":"Acme","slug":")" + slug + R"("})");
    return text_at(json_of(answer), "result.workspace_id");
}

std::string create_link(http_client& client, std::string const& workspace, std::string const& url,
                        std::string const& idempotency_key) {
    auto const answer = client.command(
        "CreateLink", R"({"workspace_id":")" + workspace + R"(","url":")" + url + R"("})", idempotency_key);
    return text_at(json_of(answer), "result.short_code");
}

std::string backend_name(testing::TestParamInfo<std::string> const& info) {
    return info.param;
}

}  // namespace linkledger::test
