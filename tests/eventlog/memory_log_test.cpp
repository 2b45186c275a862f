// The log in memory passes the suite of all backends.
#include "eventlog/memory_log.h"

#include "tests/conformance/log_conformance.h"

namespace linkledger::test {
namespace {

class memory_under_test final : public log_under_test {
public:
    eventlog::event_log& log() override { return *log_; }
    void reopen() override {}  // It does not outlive its object.

private:
    std::unique_ptr<eventlog::event_log> log_ = eventlog::create_memory_log();
};

log_factory memory() {
    return {"Memory", [] { return std::make_unique<memory_under_test>(); }};
}

TEST(MemoryLog, SaysWhichItIs) {
    EXPECT_EQ(eventlog::create_memory_log()->backend(), "memory");
}

}  // namespace
}  // namespace linkledger::test

LINKLEDGER_LOG_CONFORMANCE(Memory, memory());
