#pragma once
// A database of a test's own and `linkledger serve` on it, on SQLite or on PostgreSQL.

#include "tests/cli/http_client.h"
#include "tests/cli/process.h"
#include "tests/support/temp_folder.h"

#include <gtest/gtest.h>
#include <boost/json.hpp>

#include <memory>
#include <string>

namespace linkledger::test {

/// Where the log is: a folder or a database, and the environment that names it.
class site {
public:
    /// `sqlite` or `postgresql` (a fresh database of the shared server unless `url` names another).
    explicit site(std::string const& backend, std::string const& url = {});

    [[nodiscard]] variables const& environment() const { return environment_; }
    [[nodiscard]] variables with(variables more) const;
    [[nodiscard]] std::string const& key() const { return key_; }
    [[nodiscard]] temp_folder const& folder() const { return folder_; }

private:
    temp_folder folder_;
    std::string key_ = "ll_tEstKeyTestKeyTestKeyTestKey1";
    variables environment_;
};

/// A running `linkledger serve`. Killed on destruction, unless it was stopped.
class served {
public:
    /// Returns once it is ready. Throws std::runtime_error with its log where it is not.
    explicit served(site const& at, variables more = {});

    [[nodiscard]] int port() const { return port_; }
    [[nodiscard]] process& child() { return *process_; }
    [[nodiscard]] http_client client() const { return http_client{port_, key_}; }

    void kill9();
    /// SIGTERM; returns how it ended.
    finished stop();
    /// After kill9 or stop: again, on the same port and log.
    void start();

private:
    variables environment_;
    std::string key_;
    int port_;
    std::unique_ptr<process> process_;
};

/// The body as JSON, after a check of the status.
boost::json::value json_of(http_answer const& answer, int status = 200);
/// A member of an object as text, `result.link_id` for nested ones.
std::string text_at(boost::json::value const& value, std::string const& path);

/// The signed head as a note, once it covers what the log has now, which is within a second where the machine
/// has the time.
std::string signed_note(served const& at);

std::string create_workspace(http_client& client, std::string const& slug = "acme");
/// The link's short code.
std::string create_link(http_client& client, std::string const& workspace, std::string const& url,
                        std::string const& idempotency_key = {});

/// Suites that run on both databases.
class OnBothBackends : public testing::TestWithParam<std::string> {};
std::string backend_name(testing::TestParamInfo<std::string> const& info);

}  // namespace linkledger::test

#define LINKLEDGER_ON_BOTH_BACKENDS(SUITE)                                       \
    INSTANTIATE_TEST_SUITE_P(On, SUITE, testing::Values("sqlite", "postgresql"), \
                             linkledger::test::backend_name)
