#include "eventlog/mirror/read_ahead.h"

#include <utility>

namespace linkledger::eventlog::mirror {
namespace {

constexpr std::size_t pages_max = 4;
constexpr std::chrono::milliseconds tail_wait{100};

}  // namespace

read_ahead::read_ahead(event_log& log, position after, std::size_t page_events)
    : log_(log), page_events_(page_events), thread_([this, after] { run(after); }) {}

read_ahead::~read_ahead() {
    {
        std::lock_guard const lock{mutex_};
        stopping_ = true;
        changed_.notify_all();
    }
    thread_.join();
}

std::optional<result<std::vector<recorded_event>>> read_ahead::next(std::chrono::milliseconds patience) {
    std::unique_lock lock{mutex_};
    if (!changed_.wait_for(lock, patience, [&] { return !pages_.empty(); })) return std::nullopt;
    auto page = std::move(pages_.front());
    pages_.pop_front();
    changed_.notify_all();
    return page;
}

void read_ahead::run(position after) {
    for (;;) {
        read_query query;
        query.after = after;
        query.limit = page_events_;
        auto found = log_.read(query);
        if (!found) {
            put(std::move(found).error());
            return;
        }
        auto& events = found.value().events;
        if (!events.empty()) {
            after = events.back().position;
            if (!put(std::move(events))) return;
            continue;
        }
        log_.wait_beyond(after, tail_wait);
        std::lock_guard const lock{mutex_};
        if (stopping_) return;
    }
}

bool read_ahead::put(result<std::vector<recorded_event>> page) {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return pages_.size() < pages_max || stopping_; });
    if (stopping_) return false;
    pages_.push_back(std::move(page));
    changed_.notify_all();
    return true;
}

}  // namespace linkledger::eventlog::mirror
