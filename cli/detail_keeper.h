#pragma once
// Erases click details in the background: those that are ordered, and those that are older than they are
// kept.

#include "cli/configuration.h"
#include "eventlog/committer.h"
#include "eventlog/event_log.h"
#include "eventlog/keyring.h"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace linkledger::cli {

/// On a thread of its own, in one process of the log at a time; a batch of days at a time, so that a stop
/// never waits long. What was begun is gone on with by the next.
class detail_keeper {
public:
    detail_keeper(configuration const& from, eventlog::event_log& log, eventlog::committer& committer,
                  eventlog::keyring& keys);

private:
    void run(std::stop_token const& stop);
    void complete_erasures();
    void work(std::stop_token const& stop);
    void carry_out_orders(std::stop_token const& stop);
    void keep_retention(std::stop_token const& stop);

    configuration const& configuration_;
    eventlog::event_log& log_;
    eventlog::committer& committer_;
    eventlog::keyring& keys_;
    std::chrono::steady_clock::time_point next_retention_{};
    std::mutex mutex_;
    std::condition_variable_any wake_;
    bool was_incomplete_ = false;
    std::jthread thread_;
};

}  // namespace linkledger::cli
