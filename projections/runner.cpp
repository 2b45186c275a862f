// A thread per projection, a feed and a board that they share.

#include "projections/runner.h"

#include "projections/event_feed.h"
#include "projections/pause_gate.h"
#include "projections/progress_board.h"
#include "projections/worker.h"

#include "eventlog/crypto.h"

#include <algorithm>
#include <future>
#include <map>
#include <stdexcept>
#include <thread>
#include <utility>

namespace linkledger::projections {
namespace {

using eventlog::position;

std::vector<std::string> names_of(std::vector<std::unique_ptr<projection>> const& all) {
    std::vector<std::string> names;
    for (auto const& each : all) names.emplace_back(each->name());
    return names;
}

bool is_run(runner_options const& options, std::string_view name) {
    return options.run && (options.only.empty() ||
                           std::find(options.only.begin(), options.only.end(), name) != options.only.end());
}

/// Projections that are run here with the same pace share a feed.
using paced = std::map<std::chrono::milliseconds, std::vector<projection*>>;

paced by_pace(std::vector<std::unique_ptr<projection>> const& all, runner_options const& options) {
    paced groups;
    for (auto const& each : all) {
        if (is_run(options, each->name()))
            groups[each->linger().value_or(options.linger)].push_back(each.get());
    }
    return groups;
}

feed_options feed_options_of(std::vector<projection*> const& those, runner_options const& options,
                             std::chrono::milliseconds linger) {
    feed_options feed;
    feed.page_events_max = options.batch_events_max;
    feed.linger = linger;
    for (auto const* each : those) {
        for (auto const type : each->event_types()) {
            feed.types.emplace(type);
            if (each->reads_cause()) feed.cause_types.emplace(type);
        }
    }
    return feed;
}

}  // namespace

struct runner::state {
    state(event_source& from, eventlog::keyring& with, read_store& into,
          std::vector<std::unique_ptr<projection>> all, runner_options const& how)
        : options(how),
          source(from),
          keys(with),
          store(into),
          projections(std::move(all)),
          board(store, names_of(projections), options.poll_pause, [this] { nudge_feeds(); }) {
        for (auto const& [linger, those] : by_pace(projections, options)) {
            auto feeding = feed_options_of(those, options, linger);
            std::vector<std::string> names;
            for (auto const* each : those) names.emplace_back(each->name());
            feeding.urgent = [this, names = std::move(names)] { return board.anyone_waits_here(names); };
            auto& feed = feeds.emplace_back(std::make_unique<event_feed>(source, keys, std::move(feeding)));
            worker_surroundings const around{source, keys, store, *feed, board, gate, options};
            for (auto* const each : those)
                workers.push_back(std::make_unique<worker>(*each, workers.size(), around));
        }
    }

    void nudge_feeds() {
        for (auto const& each : feeds) each->nudge();
    }

    [[nodiscard]] worker const* find_worker(std::string_view name) const {
        for (auto const& each : workers) {
            if (each->known_status().name == name) return each.get();
        }
        return nullptr;
    }

    [[nodiscard]] projection_status status_of(projection const& which, eventlog::log_head const& head);
    void measure_lag(projection_status& status);

    runner_options options;
    event_source& source;
    eventlog::keyring& keys;
    read_store& store;
    std::vector<std::unique_ptr<projection>> projections;
    pause_gate gate;
    std::vector<std::unique_ptr<event_feed>> feeds;
    progress_board board;
    std::vector<std::unique_ptr<worker>> workers;
    std::mutex lifetime_mutex;
    std::vector<std::thread> threads;
    eventlog::log_head last_head;
    std::mutex head_mutex;
};

runner::runner(event_source& source, eventlog::keyring& keys, read_store& store,
               std::vector<std::unique_ptr<projection>> projections, runner_options const& options)
    : state_(std::make_unique<state>(source, keys, store, std::move(projections), options)) {}

runner::~runner() {
    stop();
}

void runner::start() {
    std::lock_guard const lock{state_->lifetime_mutex};
    if (!state_->threads.empty() || state_->gate.stopped()) return;
    for (auto const& each : state_->workers) state_->threads.emplace_back([&each] { each->run(); });
}

void runner::stop() {
    std::lock_guard const lock{state_->lifetime_mutex};
    state_->gate.stop();
    for (auto const& each : state_->feeds) each->stop();
    for (auto& thread : state_->threads) thread.join();
    state_->threads.clear();
    state_->board.stop();
}

void runner::pause() {
    state_->gate.close();
}

void runner::resume() {
    state_->gate.open();
}

void runner::retry_parked() {
    for (auto const& each : state_->workers) each->retry_parked();
    state_->nudge_feeds();
}

bool runner::wait_for(std::string const& projection, position at, std::chrono::milliseconds deadline) {
    auto const answer = std::make_shared<std::promise<bool>>();
    when_at(projection, at, deadline, [answer](bool reached) { answer->set_value(reached); });
    return answer->get_future().get();
}

void runner::when_at(std::string const& projection, position at, std::chrono::milliseconds deadline,
                     std::function<void(bool)> done) {
    state_->board.when_at(projection, at, deadline, std::move(done));
}

bool runner::runs_here(std::string const& projection) const {
    return state_->board.is_local(projection);
}

std::vector<projection_status> runner::status() {
    eventlog::log_head head;
    {
        auto const now = state_->source.head();
        std::lock_guard const lock{state_->head_mutex};
        if (now) state_->last_head = now.value();
        head = state_->last_head;
    }
    std::vector<projection_status> all;
    for (auto const& each : state_->projections) all.push_back(state_->status_of(*each, head));
    return all;
}

projection_status runner::state::status_of(projection const& which, eventlog::log_head const& head) {
    projection_status status;
    status.name = which.name();
    status.version = which.version();
    status.state = projection_state::elsewhere;
    auto const* const worker = find_worker(which.name());
    if (worker != nullptr) status = worker->known_status();
    bool const runs_here =
        status.state != projection_state::elsewhere && status.state != projection_state::standby;
    if (!runs_here) {
        try {
            store.read(status.name, [&](snapshot const& seen) {
                status.position = seen.position;
                status.parked =
                    static_cast<std::int64_t>(load_parked(seen.rows, status.name, status.version).size());
            });
        } catch (sql::error const& failed) {
            status.last_error = failed.what();
        }
    }
    status.head = std::max(head.last, status.position);
    status.lag_events = status.head - status.position;
    if (status.lag_events > 0) measure_lag(status);
    return status;
}

void runner::state::measure_lag(projection_status& status) {
    eventlog::read_query query;
    query.after = status.position;
    query.limit = 1;
    auto const oldest = source.read(query);
    if (!oldest || oldest.value().events.empty()) return;
    auto const age = eventlog::now() - oldest.value().events.front().recorded_at;
    status.lag_seconds = std::max(0.0, std::chrono::duration<double>(age).count());
}

}  // namespace linkledger::projections
