#include "commands/tail.h"

#include "domain/event.h"

#include <spdlog/spdlog.h>

namespace linkledger::commands {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr auto wait_max = 200ms;            ///< Bounds the time that `stop` takes.
constexpr auto pause_between_reads = 20ms;  ///< Under a stream of clicks: reads per second, not per click.
constexpr auto pause_after_failure = 100ms;
constexpr auto history_check_interval = 2s;

}  // namespace

tail::tail(eventlog::event_log& log, eventlog::log_head const& from, std::chrono::milliseconds silence,
           tail_handlers handlers)
    : log_(log), history_(from), handlers_(std::move(handlers)), position_(from.last) {
    note_contact(silence);
    history_checked_ = steady::now();
    thread_ = std::thread{[this] { run(); }};
}

tail::~tail() {
    stop();
}

void tail::stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
}

std::chrono::milliseconds tail::since_contact() const {
    steady::time_point const at{std::chrono::nanoseconds{contact_ns_.load()}};
    return std::chrono::duration_cast<std::chrono::milliseconds>(steady::now() - at);
}

eventlog::log_head tail::history() const {
    std::lock_guard const lock{history_mutex_};
    auto now = history_;
    now.last = position();
    return now;
}

void tail::note_contact(std::chrono::milliseconds ago) {
    contact_ns_ = std::chrono::nanoseconds{(steady::now() - ago).time_since_epoch()}.count();
}

void tail::run() {
    bool was_reached = true;
    while (!stopping_) {
        bool const is_reached = check_history() && follow_once();
        if (is_reached != was_reached) {
            if (is_reached) {
                spdlog::info("the log is reached again; following it from position {}", position());
            } else {
                spdlog::warn("the log cannot be followed for the moment; trying again");
            }
            was_reached = is_reached;
        }
        if (!is_reached) std::this_thread::sleep_for(pause_after_failure);
    }
}

bool tail::follow_once() {
    bool const more = log_.wait_beyond(position(), wait_max);
    if (stopping_) return true;
    eventlog::read_query query;
    query.after = position();
    query.excluded_types = {std::string{domain::event_traits<domain::click::clicked>::type_name}};
    auto page = log_.read(query);
    if (!page) return false;
    for (auto const& event : page.assume_value().events) handlers_.on_event(event);
    position_.store(std::max(position(), page.assume_value().scanned_to), std::memory_order_release);
    note_contact();
    bool const is_at_the_end = page.assume_value().events.size() < query.limit;
    if (more && is_at_the_end) std::this_thread::sleep_for(pause_between_reads);
    return true;
}

bool tail::check_history() {
    if (steady::now() - history_checked_ < history_check_interval) return true;
    auto head = log_.head();
    if (!head) return false;
    history_checked_ = steady::now();
    eventlog::log_head const& now = head.assume_value();
    if (now.log_id != history_.log_id || now.epoch != history_.epoch || now.last < position()) {
        spdlog::warn("the log has another history than before; forgetting what was learnt from it");
        {
            std::lock_guard const lock{history_mutex_};
            history_ = now;
        }
        position_.store(now.last, std::memory_order_release);
        handlers_.on_other_history();
    }
    return true;
}

}  // namespace linkledger::commands
