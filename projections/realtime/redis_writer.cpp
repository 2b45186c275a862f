// One thread: a step of the copy, a rest, again.

#include "projections/realtime/redis_writer.h"

#include "eventlog/crypto.h"

#include <algorithm>

namespace linkledger::projections::realtime {
namespace {

constexpr std::chrono::milliseconds sweep_step_pause{2};

}  // namespace

redis_writer::redis_writer(read_store& store, redis::client& to, redis_writer_options const& how)
    : redis_(to), options_(how), counters_(to), copier_(store, counters_, how.copying) {
    thread_ = std::thread{[this] { run(); }};
}

redis_writer::~redis_writer() {
    stop();
}

void redis_writer::wake() {
    {
        std::lock_guard const lock{mutex_};
        woken_ = true;
    }
    changed_.notify_one();
}

void redis_writer::stop() {
    {
        std::lock_guard const lock{mutex_};
        stopping_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable()) thread_.join();
}

redis_writer_stats redis_writer::stats() const {
    return {copier_.stats(), failures_};
}

void redis_writer::run() {
    auto pause = options_.retry_pause_min;
    while (rest()) {
        if (!options_.active()) {
            copier_.forget();
            copier_.sweep_soon();
            continue;
        }
        if (!redis_.up()) continue;
        try {
            follow();
            pause = options_.retry_pause_min;
            continue;
        } catch (redis::error const& failed) {
            if (options_.copying.note && failed.what_kind() == redis::error::kind::refused)
                options_.copying.note(failed.what());
        } catch (std::exception const&) {
            // The table's database is away, or its version is of a newer executable; its runner says so.
        }
        ++failures_;
        copier_.forget();
        sleep_for(pause);
        pause = std::min(pause * 2, options_.retry_pause_max);
    }
}

/// Until there is something to do; false: stop.
bool redis_writer::rest() {
    std::unique_lock lock{mutex_};
    bool const goes_on_sweeping = copier_.is_sweeping() && redis_.up();
    changed_.wait_for(lock, goes_on_sweeping ? sweep_step_pause : options_.copying.check_pause,
                      [this] { return woken_ || stopping_; });
    woken_ = false;
    return !stopping_;
}

/// Until Redis is as the table.
void redis_writer::follow() {
    while (copier_.step(counter_copier::clock::now(), eventlog::now())) {
        std::lock_guard const lock{mutex_};
        if (stopping_) return;
    }
}

void redis_writer::sleep_for(std::chrono::milliseconds time) {
    std::unique_lock lock{mutex_};
    changed_.wait_for(lock, time, [this] { return stopping_; });
}

}  // namespace linkledger::projections::realtime
