#pragma once
// The suite that every backend of the log must pass, written once. A backend's own test says
//
//   log_factory sqlite() { return {"Sqlite", [] { return std::make_unique<sqlite_under_test>(); }}; }
//   LINKLEDGER_LOG_CONFORMANCE(Sqlite, sqlite());

#include "eventlog/event_log.h"

#include <gmock/gmock.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace linkledger::test {

/// A fresh, empty store of a test's own, removed when this goes.
class log_under_test {
public:
    virtual ~log_under_test() = default;
    virtual eventlog::event_log& log() = 0;
    /// Closes the log and opens the same store again, where the backend outlives its object; `log()` may then
    /// be another one.
    virtual void reopen() = 0;
};

struct log_factory {
    std::string name;
    std::function<std::unique_ptr<log_under_test>()> make;
};
void PrintTo(log_factory const& factory, std::ostream* out);

/// What the cases share: a store, and short words for writing to it.
class LogConformance : public testing::TestWithParam<log_factory> {
protected:
    using version = eventlog::version;
    using position = eventlog::position;
    using expected_version = eventlog::expected_version;
    using append_request = eventlog::append_request;
    using append_outcome = eventlog::append_outcome;
    using batch_outcome = eventlog::batch_outcome;
    using recorded_event = eventlog::recorded_event;

    LogConformance();
    ~LogConformance() override;

    [[nodiscard]] eventlog::event_log& log() const { return store_->log(); }
    void reopen() { store_->reopen(); }

    /// An event with ids and a salt of its own.
    [[nodiscard]] static eventlog::event_body event(std::string type = "link.created",
                                                    std::string data = "{}");
    /// An append of `count` events to one stream.
    [[nodiscard]] static append_request to_stream(std::string stream,
                                                  expected_version expected = expected_version::any(),
                                                  std::size_t count = 1);
    [[nodiscard]] static append_request acquiring(std::string scope, std::string key, std::string owner);
    [[nodiscard]] static append_request releasing(std::string scope, std::string key, std::string owner);
    /// A digest that `text` stands for.
    [[nodiscard]] static eventlog::digest digest_of(std::string_view text);
    [[nodiscard]] static eventlog::idempotency_entry entry(std::string_view id, std::string_view fingerprint,
                                                           std::string response);

    /// The next batch of this test's producer.
    [[nodiscard]] eventlog::append_batch batch(std::vector<append_request> appends);
    /// Writes a batch that must be accepted.
    batch_outcome commit(std::vector<append_request> appends);
    append_outcome commit_one(append_request append);

    [[nodiscard]] position head() const;
    [[nodiscard]] version version_of(std::string const& stream) const;
    [[nodiscard]] std::optional<std::string> owner_of(std::string const& scope, std::string const& key) const;
    /// Everything from the start, in one page.
    [[nodiscard]] std::vector<recorded_event> everything() const;
    [[nodiscard]] eventlog::read_page page(eventlog::read_query const& query) const;
    [[nodiscard]] std::vector<position> positions(eventlog::read_query const& query) const;

private:
    std::unique_ptr<log_under_test> store_;
    domain::uuid producer_;
    std::int64_t sequence_ = 0;
};

/// Outcomes as a test's words; each prints what there was instead.
testing::Matcher<eventlog::append_outcome const&> appended_at(eventlog::position last,
                                                              std::vector<eventlog::version> versions);
testing::Matcher<eventlog::append_outcome const&> conflicts(std::string stream, eventlog::version actual);
testing::Matcher<eventlog::append_outcome const&> refused_claim(std::string scope, std::string key);
testing::Matcher<eventlog::append_outcome const&> replays(eventlog::position last, eventlog::version primary,
                                                          std::string response);
testing::Matcher<eventlog::append_outcome const&> mismatches();

class LogAppends : public LogConformance {};
class LogClaims : public LogConformance {};
class LogIdempotency : public LogConformance {};
class LogResends : public LogConformance {};
class LogReads : public LogConformance {};
class LogKeys : public LogConformance {};
class LogWriters : public LogConformance {};

}  // namespace linkledger::test

namespace linkledger::eventlog {
void PrintTo(append_outcome const& outcome, std::ostream* out);
}  // namespace linkledger::eventlog

#define LINKLEDGER_LOG_CONFORMANCE(PREFIX, FACTORY)                             \
    namespace linkledger::test {                                                \
    INSTANTIATE_TEST_SUITE_P(PREFIX, LogAppends, testing::Values(FACTORY));     \
    INSTANTIATE_TEST_SUITE_P(PREFIX, LogClaims, testing::Values(FACTORY));      \
    INSTANTIATE_TEST_SUITE_P(PREFIX, LogIdempotency, testing::Values(FACTORY)); \
    INSTANTIATE_TEST_SUITE_P(PREFIX, LogResends, testing::Values(FACTORY));     \
    INSTANTIATE_TEST_SUITE_P(PREFIX, LogReads, testing::Values(FACTORY));       \
    INSTANTIATE_TEST_SUITE_P(PREFIX, LogKeys, testing::Values(FACTORY));        \
    INSTANTIATE_TEST_SUITE_P(PREFIX, LogWriters, testing::Values(FACTORY));     \
    }                                                                           \
    static_assert(true, "so that the line ends with a semicolon")
