// The log as a source of events.

#include "projections/event_source.h"

namespace linkledger::projections {
namespace {

class log_source final : public event_source {
public:
    explicit log_source(eventlog::event_log& log) : log_(log) {}

    eventlog::result<eventlog::log_head> head() override { return log_.head(); }
    eventlog::result<eventlog::read_page> read(eventlog::read_query const& query) override {
        return log_.read(query);
    }
    bool wait_beyond(eventlog::position after, std::chrono::milliseconds deadline) override {
        return log_.wait_beyond(after, deadline);
    }

private:
    eventlog::event_log& log_;
};

}  // namespace

std::unique_ptr<event_source> create_log_source(eventlog::event_log& log) {
    return std::make_unique<log_source>(log);
}

}  // namespace linkledger::projections
