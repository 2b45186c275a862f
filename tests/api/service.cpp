// Composition as `serve` does it, and shutdown in the opposite order.

#include "tests/api/service.h"

#include "migrations/migrator.h"
#include "projections/read_store.h"
#include "projections/registry.h"

#include <boost/json.hpp>

#include <spdlog/spdlog.h>

#include <thread>

namespace linkledger::tests {

namespace {

api::application_options on_free_port(api::application_options options) {
    options.listen = "127.0.0.1:0";
    options.public_url = "https://ll.example";
    options.limits.sweep_interval = std::chrono::milliseconds{10};
    return options;
}

std::string migrated(test::temp_folder const& folder) {
    auto const path = folder.file("linkledger.db");
    migrations::target where;
    where.db_path = path;
    migrations::up(where);
    return path;
}

}  // namespace

service::service(api::application_options options, commands::bus_options bus_options)
    : keys(faulty, eventlog::master_key{std::string(32, 'k')}) {
    spdlog::set_level(spdlog::level::err);
    auto const db_path = migrated(folder);
    committer = std::make_unique<eventlog::committer>(faulty, eventlog::committer_options{});
    bus_options.public_url = "https://ll.example";
    bus = std::move(commands::create_command_bus(faulty, *committer, keys, bus_options).value());
    reads = projections::create_sqlite_read_store(db_path);
    source = projections::create_log_source(faulty);
    projections::runner_options runner_options;
    runner_options.linger = std::chrono::milliseconds{1};
    runner = std::make_unique<projections::runner>(*source, keys, *reads, projections::create_all(),
                                                   runner_options);
    tree_store = eventlog::merkle::create_sqlite_tree_store(db_path);
    tree = std::make_unique<eventlog::merkle::published_log>(faulty, *tree_store);
    api::services on{faulty, *committer, keys, *bus, *reads, runner.get(), tree.get()};
    on.sign = [this](std::string const& receipt) {
        return eventlog::merkle::sign_note(receipt, "test", std::vector{receipt_key});
    };
    http = std::make_unique<api::application>(on_free_port(std::move(options)), on);
    admin_key = bus->bootstrap("").value().value();
    runner->start();
    eventlog::merkle::follower_options signing;
    signing.interval = std::chrono::milliseconds{50};
    signer = std::make_unique<eventlog::merkle::follower>(
        faulty, *tree_store, std::vector{eventlog::merkle::new_signing_key()}, signing);
    http->start();
}

service::~service() {
    http->stop(std::chrono::seconds{10});
    runner->stop();
    bus->stop();
    committer->drain(std::chrono::seconds{5});
}

ServiceTest::ServiceTest(api::application_options const& options, commands::bus_options const& bus_options)
    : service_(options, bus_options),
      admin(service_.client(service_.admin_key)),
      visitor(service_.client("")) {
    auto const made = done("CreateWorkspace", {{"name", "Acme"}, {"slug", "acme"}});
    workspace_id = text(made.at("result"), "workspace_id");
}

ServiceTest::json ServiceTest::parse(http_response const& answer) {
    boost::system::error_code ec;
    auto value = boost::json::parse(answer.body, ec);
    EXPECT_FALSE(ec) << "no JSON: " << answer.body;
    return value;
}

std::string ServiceTest::text(json const& value, std::string_view key) {
    return std::string{value.at(key).as_string()};
}

http_response ServiceTest::command(std::string const& name, boost::json::object const& data,
                                   http_headers const& headers) {
    return admin.post("/v1/commands/" + name, boost::json::serialize(data), headers);
}

ServiceTest::json ServiceTest::done(std::string const& name, boost::json::object const& data) {
    auto const answer = command(name, data);
    EXPECT_EQ(answer.status, 200) << name << ": " << answer.body;
    return parse(answer);
}

ServiceTest::json ServiceTest::make_link(boost::json::object data) {
    data.emplace("workspace_id", workspace_id);
    data.emplace("url", "https://example.com/page");
    return done("CreateLink", data).at("result");
}

ServiceTest::json ServiceTest::read(std::string const& target) {
    auto const mark = target.find('?') == std::string::npos ? "?" : "&";
    auto const answer = get_in_time(admin, target + mark + "after=" + std::to_string(service_.head()));
    EXPECT_EQ(answer.status, 200) << target << ": " << answer.body;
    return parse(answer);
}

http_client ServiceTest::join(std::string const& email, std::string const& role) {
    auto const invited =
        done("InviteMember", {{"workspace_id", workspace_id}, {"email", email}, {"role", role}});
    auto const joined =
        done("AcceptInvitation", {{"token", invited.at("result").at("token")}, {"name", "Ann"}});
    return service_.client(text(joined.at("result"), "api_key"));
}

http_response get_in_time(http_client& from, std::string const& target) {
    http_response answer;
    static_cast<void>(comes_true([&] { return (answer = from.get(target)).status != 504; }));
    return answer;
}

bool comes_true(std::function<bool()> const& what) {
    auto const deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (std::chrono::steady_clock::now() < deadline) {
        if (what()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    return false;
}

std::string problem_code(http_response const& answer) {
    EXPECT_EQ(answer.header("content-type"), "application/problem+json") << answer.body;
    boost::system::error_code ec;
    auto const value = boost::json::parse(answer.body, ec);
    if (ec || !value.is_object() || !value.as_object().contains("code")) return "no problem: " + answer.body;
    EXPECT_EQ(value.at("status").as_int64(), answer.status);
    return std::string{value.at("code").as_string()};
}

}  // namespace linkledger::tests
