#pragma once
// What `serve` does now and then, beside its work: forgets old answers, remembers links.

#include "commands/command_bus.h"
#include "eventlog/event_log.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace linkledger::cli {

/// Forgets stored answers that are older than configured, every hour. `log` must outlive it.
class answer_keeper {
public:
    answer_keeper(eventlog::event_log& log, std::chrono::hours kept);

private:
    void run(eventlog::event_log& log, std::chrono::hours kept, std::stop_token const& stop);

    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::jthread thread_;
};

/// Writes the links that are known to a file: soon after the start, then every five minutes in which there
/// was something new, and at the end. `bus` must outlive it.
class links_keeper {
public:
    links_keeper(commands::command_bus& bus, std::string path);
    ~links_keeper();

private:
    void run(std::stop_token const& stop);
    void save();
    [[nodiscard]] bool is_less_than_saved(std::size_t links) const;

    commands::command_bus& bus_;
    std::string const path_;
    eventlog::position saved_position_ = -1;
    std::size_t saved_links_ = 0;
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::jthread thread_;
};

}  // namespace linkledger::cli
