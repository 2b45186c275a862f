// The thread of a relay: a step, a rest, again.

#include "eventlog/mirror/relay.h"

#include "eventlog/mirror/read_ahead.h"
#include "eventlog/mirror/relay_steps.h"

#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>

namespace linkledger::eventlog::mirror {
namespace {

using std::chrono::milliseconds;

/// A log that cannot be reached may answer at once.
constexpr milliseconds news_pause_min{10};

}  // namespace

struct relay::state {
    state(event_log& from, relay_options const& options)
        : log(from),
          nats(options.nats),
          steps(from, nats, options, std::random_device{}(),
                [&from, page_events = options.page_events](position after) {
                    return std::make_unique<read_ahead>(from, after, page_events);
                }) {}

    void run() {
        while (!stopping()) take_rest(steps.step(relay_steps::clock::now()));
        steps.finish();
    }
    void take_rest(relay_steps::rest const& until) {
        if (until.or_beyond) {
            if (!log.wait_beyond(*until.or_beyond, until.at_most)) pause(news_pause_min);
        } else if (until.at_most.count() > 0) {
            pause(until.at_most);
        }
    }
    [[nodiscard]] bool stopping() {
        std::lock_guard const lock{mutex};
        return stop;
    }
    void pause(milliseconds time) {
        std::unique_lock lock{mutex};
        changed.wait_for(lock, time, [&] { return stop; });
    }

    event_log& log;
    nats_connection nats;
    relay_steps steps;

    std::mutex mutex;
    std::condition_variable changed;
    bool stop = false;
    std::thread thread;
};

relay::relay(event_log& log, relay_options options) : state_(std::make_unique<state>(log, options)) {}

relay::~relay() {
    stop();
}

void relay::start() {
    if (state_->thread.joinable()) return;
    state_->thread = std::thread{[this] { state_->run(); }};
}

void relay::stop() {
    {
        std::lock_guard const lock{state_->mutex};
        state_->stop = true;
        state_->changed.notify_all();
    }
    if (state_->thread.joinable()) state_->thread.join();
}

relay_stats relay::stats() const {
    return state_->steps.stats();
}

}  // namespace linkledger::eventlog::mirror
