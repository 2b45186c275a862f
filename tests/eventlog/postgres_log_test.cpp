// The conformance suite on PostgreSQL.

#include "eventlog/postgres_log.h"
#include "eventlog/sql/connection.h"
#include "tests/conformance/log_conformance.h"
#include "tests/support/postgres_server.h"

#include <stdexcept>

namespace linkledger::test {
namespace {

class postgres_under_test final : public log_under_test {
public:
    postgres_under_test() : url_(database()) {
        auto const connection = sql::open_postgres({.url = url_});
        connection->execute_script(
            "TRUNCATE events, streams, claims, producers, idempotency, keys;"
            "DELETE FROM log_head; INSERT INTO log_head DEFAULT VALUES");
        reopen();
    }
    eventlog::event_log& log() override { return *log_; }
    void reopen() override {
        log_.reset();
        eventlog::postgres_log_options options;
        options.url = url_;
        auto opened = eventlog::open_postgres_log(options);
        if (!opened) throw std::runtime_error{opened.error().detail};
        log_ = std::move(opened.value());
    }

private:
    /// One database for all cases, emptied for each: making one takes longer than most of them.
    static std::string const& database() {
        static std::string const url = fresh_migrated_database();
        return url;
    }

    std::string url_;
    std::unique_ptr<eventlog::event_log> log_;
};

log_factory postgres() {
    return {"Postgres", [] { return std::make_unique<postgres_under_test>(); }};
}

}  // namespace
}  // namespace linkledger::test

LINKLEDGER_LOG_CONFORMANCE(Postgres, postgres());
