// The conformance suite on SQLite.

#include "eventlog/sqlite_log.h"
#include "migrations/migrator.h"
#include "tests/conformance/log_conformance.h"
#include "tests/support/temp_folder.h"

#include <stdexcept>

namespace linkledger::test {
namespace {

class sqlite_under_test final : public log_under_test {
public:
    sqlite_under_test() {
        migrations::up({sql::dialect::sqlite, path(), ""});
        reopen();
    }
    eventlog::event_log& log() override { return *log_; }
    void reopen() override {
        log_.reset();
        eventlog::sqlite_log_options options;
        options.path = path();
        auto opened = eventlog::open_sqlite_log(options);
        if (!opened) throw std::runtime_error{opened.error().detail};
        log_ = std::move(opened.value());
    }

private:
    [[nodiscard]] std::string path() const { return folder_.file("linkledger.db"); }

    temp_folder folder_;
    std::unique_ptr<eventlog::event_log> log_;
};

log_factory sqlite() {
    return {"Sqlite", [] { return std::make_unique<sqlite_under_test>(); }};
}

}  // namespace
}  // namespace linkledger::test

LINKLEDGER_LOG_CONFORMANCE(Sqlite, sqlite());
