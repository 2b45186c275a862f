#pragma once
// Read models of a test's own, on each database, filled from a log in memory.

#include "eventlog/memory_log.h"
#include "migrations/migrator.h"
#include "projections/registry.h"
#include "projections/runner.h"
#include "tests/projections/history.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace linkledger::test {

/// An empty, migrated database (or folder of databases).
class read_models {
public:
    explicit read_models(sql::dialect dialect);
    ~read_models();
    read_models(read_models const&) = delete;
    read_models& operator=(read_models const&) = delete;

    [[nodiscard]] projections::read_store& store() { return *store_; }
    [[nodiscard]] std::unique_ptr<projections::read_store> open_store() const;
    /// The live version's tables.
    [[nodiscard]] std::unique_ptr<sql::connection> open(std::string const& projection);
    [[nodiscard]] projections::build_id live(std::string const& projection);
    /// Every row of every table of the projection, as text, in an order that depends on the rows alone.
    [[nodiscard]] std::vector<std::string> dump(std::string const& projection);
    [[nodiscard]] std::vector<std::string> dump(std::string const& projection, projections::build_id which);
    /// Runs a query against a projection's snapshot.
    template <typename Query>
    auto read(std::string const& projection, Query const& query) {
        std::optional<decltype(query(std::declval<projections::snapshot const&>()))> answer;
        store_->read(projection, [&](projections::snapshot const& seen) { answer.emplace(query(seen)); });
        return std::move(*answer);
    }

private:
    sql::dialect dialect_;
    std::unique_ptr<temp_folder> folder_;
    migrations::target where_;
    std::unique_ptr<projections::read_store> store_;
};

/// Of two dumps, the first lines that differ; empty: none do.
[[nodiscard]] std::string first_difference(std::vector<std::string> const& a,
                                           std::vector<std::string> const& b);

/// A log in memory with a source for runners.
struct told_log {
    std::unique_ptr<eventlog::event_log> log = eventlog::create_memory_log();
    history story{*log};
    std::unique_ptr<projections::event_source> source = projections::create_log_source(*log);
};

[[nodiscard]] projections::runner_options quick_options();
/// Brings every projection to the head of the log and stops.
void catch_up(told_log& from, read_models& into,
              projections::runner_options const& options = quick_options());
/// Waits until all are at the head of the log.
[[nodiscard]] bool at_head(projections::runner& runner, eventlog::event_log& log);

/// Every test of such a suite runs on both databases.
class on_both_databases : public testing::TestWithParam<sql::dialect> {
protected:
    told_log log_;
    read_models models_{GetParam()};

    history& story() { return log_.story; }
    void catch_up_all() { catch_up(log_, models_); }
};

[[nodiscard]] std::string dialect_name(testing::TestParamInfo<sql::dialect> const& info);

}  // namespace linkledger::test

#define LINKLEDGER_ON_BOTH_DATABASES(Suite)                                                   \
    INSTANTIATE_TEST_SUITE_P(Databases, Suite,                                                \
                             testing::Values(sql::dialect::sqlite, sql::dialect::postgresql), \
                             test::dialect_name)
