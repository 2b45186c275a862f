#include "tests/commands/bus_fixture.h"

#include "commands/user_agent.h"
#include "eventlog/memory_log.h"
#include "eventlog/postgres_log.h"
#include "eventlog/sqlite_log.h"
#include "migrations/migrator.h"
#include "tests/support/postgres_server.h"
#include "tests/support/temp_folder.h"

#include <stdexcept>

namespace linkledger::commands::testing {
namespace {

template <typename Log>
std::unique_ptr<eventlog::event_log> opened(Log made) {
    if (!made) throw std::runtime_error{made.assume_error().detail};
    return std::move(made.assume_value());
}

class memory_store final : public log_store {
public:
    eventlog::event_log& log() override { return *log_; }

private:
    std::unique_ptr<eventlog::event_log> log_ = eventlog::create_memory_log();
};

class sqlite_store final : public log_store {
public:
    sqlite_store() {
        std::string const path = folder_.file("linkledger.db");
        migrations::up({sql::dialect::sqlite, path, ""});
        eventlog::sqlite_log_options options;
        options.path = path;
        log_ = opened(eventlog::open_sqlite_log(options));
    }
    eventlog::event_log& log() override { return *log_; }

private:
    test::temp_folder folder_;
    std::unique_ptr<eventlog::event_log> log_;
};

class postgres_store final : public log_store {
public:
    postgres_store() {
        eventlog::postgres_log_options options;
        options.url = test::fresh_migrated_database();
        log_ = opened(eventlog::open_postgres_log(options));
    }
    eventlog::event_log& log() override { return *log_; }

private:
    std::unique_ptr<eventlog::event_log> log_;
};

}  // namespace

std::unique_ptr<log_store> make_store(backend kind) {
    switch (kind) {
        case backend::sqlite:
            return std::make_unique<sqlite_store>();
        case backend::postgres:
            return std::make_unique<postgres_store>();
        case backend::memory:
            break;
    }
    return std::make_unique<memory_store>();
}

std::string name_of(::testing::TestParamInfo<backend> const& info) {
    constexpr char const* names[] = {"Memory", "Sqlite", "Postgres"};
    return names[static_cast<int>(info.param)];
}

process::process(eventlog::event_log& log, bus_options options)
    : log_(log), keys_(log, {std::string(32, 'k')}), committer_(log, {}) {
    auto made = create_command_bus(log, committer_, keys_, options);
    if (!made) throw std::runtime_error(made.assume_error().detail);
    bus_ = std::move(made.assume_value());
}

process::~process() {
    committer_.drain(std::chrono::seconds{10});
    bus_->stop();
}

bus_options process::default_options() {
    // Loading takes a second, and a test makes several buses.
    static std::shared_ptr<user_agent_parser const> const user_agents =
        user_agent_parser::load(bus_options{}.uap_regexes).assume_value();
    bus_options options;
    options.user_agents = user_agents;
    options.public_url = "https://ll.example";
    options.blocking_threads = 2;
    return options;
}

sender process::log_in(std::string const& key) {
    auto const who = run(bus().authenticate(key));
    sender from;
    from.credential = key;
    from.context = {std::nullopt, "tests"};
    if (auto const* known = std::get_if<domain::caller>(&who)) from.caller = *known;
    EXPECT_TRUE(from.caller) << "the key was not accepted";
    return from;
}

sender process::first_admin() {
    auto const made = bus().bootstrap(first_admin_key);
    EXPECT_TRUE(made) << "bootstrap failed";
    return log_in(first_admin_key);
}

command_answer process::accepted(command_outcome const& outcome) {
    auto const* answer = std::get_if<command_answer>(&outcome);
    EXPECT_TRUE(answer) << describe(outcome);
    return answer ? *answer : command_answer{};
}

std::string describe(command_outcome const& outcome) {
    if (auto const* no = std::get_if<domain::refusal>(&outcome)) {
        return std::string{domain::code_text(no->code)} + ": " + no->detail;
    }
    if (auto const* failed = std::get_if<eventlog::failure>(&outcome)) return "failure: " + failed->detail;
    return "accepted";
}

std::optional<domain::refusal_code> refused(command_outcome const& outcome) {
    auto const* no = std::get_if<domain::refusal>(&outcome);
    EXPECT_TRUE(no) << describe(outcome);
    return no ? std::optional{no->code} : std::nullopt;
}

std::string field(command_answer const& answer, char const* name) {
    auto const result = boost::json::parse(answer.result).as_object();
    auto const* value = result.if_contains(name);
    EXPECT_TRUE(value) << name << " is not in " << answer.result;
    return value ? std::string{value->as_string()} : std::string{};
}

std::string object(boost::json::object const& members) {
    return boost::json::serialize(members);
}

std::vector<domain::event> all_events(eventlog::event_log& log, eventlog::keyring& keys) {
    std::vector<domain::event> events;
    eventlog::read_query query;
    query.limit = 100'000;
    auto const page = log.read(query);
    EXPECT_TRUE(page);
    for (auto const& stored : page.assume_value().events) {
        auto decoded = eventlog::decode(stored, keys);
        EXPECT_TRUE(decoded);
        events.push_back(decoded.assume_value());
    }
    return events;
}

sender BusTest::make_member(std::string const& workspace, std::string const& email, std::string const& role) {
    auto const invited = here.accept(
        "InviteMember", object({{"workspace_id", workspace}, {"email", email}, {"role", role}}), admin);
    sender nobody;
    nobody.kind = eventlog::actor_kind::token;
    auto const joined = here.accept("AcceptInvitation",
                                    object({{"token", field(invited, "token")}, {"name", email}}), nobody);
    return here.log_in(field(joined, "api_key"));
}

}  // namespace linkledger::commands::testing
