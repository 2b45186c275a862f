// The conformance suite on SQLite.

#include "eventlog/sqlite_log.h"
#include "eventlog/sql/connection.h"
#include "migrations/migrator.h"
#include "tests/conformance/log_conformance.h"
#include "tests/support/numbered_batches.h"
#include "tests/support/temp_folder.h"

#include <stdexcept>

namespace linkledger::test {
namespace {

class sqlite_under_test final : public log_under_test {
public:
    explicit sqlite_under_test(std::size_t file_clicks_each) : file_clicks_each_(file_clicks_each) {
        migrations::up({sql::dialect::sqlite, path(), ""});
        reopen();
    }
    eventlog::event_log& log() override { return *log_; }
    void reopen() override {
        log_.reset();
        eventlog::sqlite_log_options options;
        options.path = path();
        options.file_clicks_each = file_clicks_each_;
        auto opened = eventlog::open_sqlite_log(options);
        if (!opened) throw std::runtime_error{opened.error().detail};
        log_ = std::move(opened.value());
    }

    [[nodiscard]] std::string path() const { return folder_.file("linkledger.db"); }

private:
    std::size_t file_clicks_each_;
    temp_folder folder_;
    std::unique_ptr<eventlog::event_log> log_;
};

log_factory sqlite() {
    return {"Sqlite", [] {
                return std::make_unique<sqlite_under_test>(eventlog::sqlite_log_options{}.file_clicks_each);
            }};
}

/// Its directories of clicks end within what a case writes.
log_factory sqlite_filing_often() {
    return {"SqliteFilingOften", [] { return std::make_unique<sqlite_under_test>(3); }};
}

TEST(SqliteProducers, AreForgottenAndThenRefused) {
    sqlite_under_test store{eventlog::sqlite_log_options{}.file_clicks_each};
    auto const once = numbered_batch(1, 1, 1), twice = numbered_batch(2, 2, 1);
    ASSERT_TRUE(store.log().append(once));
    ASSERT_TRUE(store.log().append(numbered_batch(2, 1, 1)));
    ASSERT_TRUE(store.log().append(twice));
    auto const connection = sql::open_sqlite(store.path(), {});
    connection->execute("UPDATE producers SET recorded_at = 0", {});
    ASSERT_TRUE(store.log().append(numbered_batch(3, 1, 1)));
    auto const known = connection->query_one("SELECT count(*) FROM producers", {},
                                             [](sql::row const& r) { return r.integer(0); });
    EXPECT_EQ(known, 2) << "the new one, and the one that sent a single batch";
    auto const head = store.log().head().value().last;
    auto const again = store.log().append(once);
    ASSERT_TRUE(again);
    EXPECT_TRUE(again.value().resent) << "that it was stored is still known";
    EXPECT_EQ(std::get<eventlog::appended>(again.value().outcomes.at(0)).last_position, 0);
    EXPECT_EQ(store.log().append(twice).error().code, eventlog::failure_code::corrupted);
    EXPECT_EQ(store.log().head().value().last, head) << "nothing is written twice";
}

}  // namespace
}  // namespace linkledger::test

LINKLEDGER_LOG_CONFORMANCE(Sqlite, sqlite());
LINKLEDGER_LOG_CONFORMANCE(SqliteFilingOften, sqlite_filing_often());
