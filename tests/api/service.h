#pragma once
// The whole service in this process: a log in memory, read models in SQLite, HTTP on a free port.

#include "api/application.h"
#include "eventlog/committer.h"
#include "eventlog/keyring.h"
#include "eventlog/memory_log.h"
#include "eventlog/merkle/follower.h"
#include "eventlog/merkle/published.h"
#include "projections/event_source.h"
#include "projections/runner.h"
#include "tests/support/faulty_log.h"
#include "tests/support/http_client.h"
#include "tests/support/temp_folder.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

namespace linkledger::tests {

class service {
public:
    explicit service(api::application_options options = {}, commands::bus_options bus_options = {});
    ~service();

    [[nodiscard]] http_client client(std::string const& bearer) const { return http_client{port(), bearer}; }
    [[nodiscard]] std::uint16_t port() const { return http->port(); }
    [[nodiscard]] eventlog::position head() { return log->head().value().last; }

    test::temp_folder folder;
    std::unique_ptr<eventlog::event_log> log = eventlog::create_memory_log();
    test::faulty_log faulty{*log};
    eventlog::keyring keys;
    std::unique_ptr<eventlog::committer> committer;
    std::unique_ptr<commands::command_bus> bus;
    std::unique_ptr<projections::read_store> reads;
    std::unique_ptr<projections::event_source> source;
    std::unique_ptr<projections::runner> runner;
    std::unique_ptr<eventlog::merkle::tree_store> tree_store;
    std::unique_ptr<eventlog::merkle::published_log> tree;
    std::unique_ptr<eventlog::merkle::follower> signer;
    eventlog::merkle::signing_key receipt_key = eventlog::merkle::new_signing_key();
    std::unique_ptr<api::application> http;
    std::string admin_key;
};

/// A running service with a workspace, and short ways to talk to it.
class ServiceTest : public testing::Test {
protected:
    ServiceTest() : ServiceTest(api::application_options{}) {}
    explicit ServiceTest(api::application_options const& options,
                         commands::bus_options const& bus_options = {});

    using json = boost::json::value;
    /// Parses an answer; a failure of the test when it is no JSON.
    static json parse(http_response const& answer);
    static std::string text(json const& value, std::string_view key);

    http_response command(std::string const& name, boost::json::object const& data,
                          http_headers const& headers = {});
    /// Its answer, which must be 200.
    json done(std::string const& name, boost::json::object const& data);
    /// A link in the workspace: its result.
    json make_link(boost::json::object data = {});
    /// A GET, which must be 200, at a position where everything so far is visible.
    json read(std::string const& target);
    http_response get(std::string const& target, http_headers const& headers = {}) {
        return admin.get(target, headers);
    }
    /// Invites and joins: the new member's client.
    http_client join(std::string const& email, std::string const& role);

    service service_;
    http_client admin;
    http_client visitor;
    std::string workspace_id;
};

/// A GET that is repeated while the read models are behind: a busy machine may need longer than a request may
/// wait.
[[nodiscard]] http_response get_in_time(http_client& from, std::string const& target);

/// Asks again and again until it is so; false after 20 seconds.
[[nodiscard]] bool comes_true(std::function<bool()> const& what);

/// The `code` of a problem, and that it is one.
[[nodiscard]] std::string problem_code(http_response const& answer);

}  // namespace linkledger::tests
