// A thread per version that is fed, a feed and a board that they share, and a thread that follows which
// versions there are.

#include "projections/runner.h"

#include "projections/builds.h"
#include "projections/event_feed.h"
#include "projections/pause_gate.h"
#include "projections/progress_board.h"
#include "projections/worker.h"

#include "eventlog/crypto.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <map>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>

namespace linkledger::projections {
namespace {

using eventlog::position;

std::vector<std::string> names_of(std::vector<std::unique_ptr<projection>> const& all) {
    std::vector<std::string> names;
    for (auto const& each : all) {
        if (std::find(names.begin(), names.end(), each->name()) == names.end())
            names.emplace_back(each->name());
    }
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
    for (auto const* each : those) feed.read_for(*each);
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
            feeds[linger] = std::make_unique<event_feed>(source, keys, std::move(feeding));
        }
    }
    ~state() { stop(); }

    void nudge_feeds() {
        for (auto const& [linger, each] : feeds) each->nudge();
    }
    void look_at_versions();
    void follow(std::vector<build_row> const& rows);
    void supervise();
    void stop();
    [[nodiscard]] projection* find_projection(std::string_view name, int version) const;

    [[nodiscard]] projection_status status_of(build_row const& which, eventlog::log_head const& head);
    [[nodiscard]] projection_status unknown_status(std::string const& name,
                                                   eventlog::log_head const& head) const;
    void measure_lag(projection_status& status);

    runner_options options;
    event_source& source;
    eventlog::keyring& keys;
    read_store& store;
    std::vector<std::unique_ptr<projection>> projections;
    pause_gate gate;
    std::timed_mutex turns;
    std::map<std::chrono::milliseconds, std::unique_ptr<event_feed>> feeds;  ///< By pace.
    progress_board board;
    /// A version that is fed here.
    struct fed {
        std::unique_ptr<worker> works;
        std::thread thread;
    };
    std::mutex workers_mutex;
    std::map<std::pair<std::string, build_id>, fed> workers;
    std::size_t consumers = 0;
    std::vector<build_row> versions;  ///< As last seen.
    std::string versions_error;       ///< Why they could not be read, the last time.

    std::mutex lifetime_mutex;
    std::atomic<bool> started = false;
    std::thread supervisor;
    std::mutex wake_mutex;
    std::condition_variable wake;
    bool stopped = false;
    std::unique_ptr<sql::connection> control;
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
    if (state_->supervisor.joinable() || state_->stopped) return;
    try {
        adopt_builds(state_->store, state_->projections);
    } catch (sql::error const& away) {
        spdlog::warn("the versions of the projections cannot be read yet: {}", away.what());
    }
    state_->started = true;
    state_->look_at_versions();
    state_->supervisor = std::thread{[this] { state_->supervise(); }};
}

void runner::look_at_versions() {
    state_->look_at_versions();
}

void runner::stop() {
    std::lock_guard const lock{state_->lifetime_mutex};
    state_->stop();
}

void runner::state::stop() {
    {
        std::lock_guard const lock{wake_mutex};
        stopped = true;
        wake.notify_all();
    }
    gate.stop();
    for (auto const& [linger, each] : feeds) each->stop();
    if (supervisor.joinable()) supervisor.join();
    std::lock_guard const lock{workers_mutex};
    for (auto& [key, each] : workers) {
        if (each.thread.joinable()) each.thread.join();
    }
    board.stop();
}

void runner::state::supervise() {
    std::unique_lock lock{wake_mutex};
    while (!stopped) {
        wake.wait_for(lock, options.versions_pause, [&] { return stopped; });
        if (stopped) return;
        lock.unlock();
        look_at_versions();
        lock.lock();
    }
}

/// Without the database everything goes on as it was.
void runner::state::look_at_versions() {
    try {
        std::lock_guard const lock{workers_mutex};
        if (!control || !control->usable()) control = store.open_control();
        auto rows = load_builds(*control);
        if (rows.empty()) {
            adopt_builds(store, projections);
            rows = load_builds(*control);
        }
        if (started) follow(rows);
        versions = std::move(rows);
        versions_error.clear();
    } catch (std::exception const& failed) {
        std::lock_guard const lock{workers_mutex};
        versions_error = failed.what();
        spdlog::debug("the versions of the projections cannot be read: {}", failed.what());
    }
}

/// Starts and ends workers, so that just what is to be fed is.
void runner::state::follow(std::vector<build_row> const& rows) {
    std::set<std::pair<std::string, build_id>> to_feed;
    for (auto const& row : rows) {
        bool const is_fed = row.state == build_state::ready || row.state == build_state::live ||
                            row.state == build_state::kept;
        if (is_fed && is_run(options, row.name) && find_projection(row.name, row.build.version) != nullptr)
            to_feed.emplace(row.name, row.build);
    }
    for (auto each = workers.begin(); each != workers.end();) {
        if (to_feed.contains(each->first)) {
            ++each;
            continue;
        }
        each->second.works->let_go();
        each->second.works->set_live(false);
        each->second.thread.join();
        each = workers.erase(each);
    }
    for (auto const& key : to_feed) {
        if (workers.contains(key)) continue;
        auto& runs_it = *find_projection(key.first, key.second.version);
        auto& feed = *feeds.at(runs_it.linger().value_or(options.linger));
        worker_surroundings const around{source, keys, store, feed, board, gate, turns, options};
        auto works = std::make_unique<worker>(runs_it, key.second, consumers++, around);
        auto& made = workers[key];
        made.works = std::move(works);
        made.thread = std::thread{[&runs = *made.works] { runs.run(); }};
    }
    auto const tell = [&](bool live) {
        for (auto const& row : rows) {
            auto const found = workers.find({row.name, row.build});
            if (found != workers.end() && (row.state == build_state::live) == live)
                found->second.works->set_live(live);
        }
    };
    tell(false);
    tell(true);
    // Where another version is live than any that runs here, its checkpoint is looked up.
    for (auto const& row : rows) {
        if (row.state == build_state::live && !workers.contains({row.name, row.build}))
            board.forget_local(row.name);
    }
}

projection* runner::state::find_projection(std::string_view name, int version) const {
    for (auto const& each : projections) {
        if (each->name() == name && each->version() == version) return each.get();
    }
    return nullptr;
}

void runner::pause() {
    state_->gate.close();
}

void runner::resume() {
    state_->gate.open();
}

void runner::retry_parked() {
    {
        std::lock_guard const lock{state_->workers_mutex};
        for (auto const& [key, each] : state_->workers) each.works->retry_parked();
    }
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
    if (!state_->started) state_->look_at_versions();
    std::lock_guard const lock{state_->workers_mutex};
    std::vector<projection_status> all;
    for (auto const& name : names_of(state_->projections)) {
        auto const count = all.size();
        for (auto const& row : state_->versions) {
            bool const shown = row.state == build_state::live || row.state == build_state::ready ||
                               row.state == build_state::kept;
            if (row.name == name && shown) all.push_back(state_->status_of(row, head));
        }
        // Before anything is known of its versions, because the database is away.
        if (all.size() == count) all.push_back(state_->unknown_status(name, head));
    }
    return all;
}

std::vector<rebuild_status> runner::rebuilds() {
    std::lock_guard const lock{state_->workers_mutex};
    try {
        if (!state_->control || !state_->control->usable()) state_->control = state_->store.open_control();
        return load_rebuilds(*state_->control);
    } catch (sql::error const&) {
        return {};
    }
}

projection_status runner::state::status_of(build_row const& which, eventlog::log_head const& head) {
    projection_status status;
    status.name = which.name;
    status.version = which.build.version;
    status.build = which.build.build;
    status.state = projection_state::elsewhere;
    auto const worker = workers.find({which.name, which.build});
    if (worker != workers.end()) status = worker->second.works->known_status();
    status.live = which.state == build_state::live;
    bool const runs_here =
        status.state != projection_state::elsewhere && status.state != projection_state::standby;
    if (!runs_here) {
        try {
            store.read_build(status.name, which.build, [&](snapshot const& seen) {
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

projection_status runner::state::unknown_status(std::string const& name,
                                                eventlog::log_head const& head) const {
    projection_status status;
    status.name = name;
    status.state = is_run(options, name) ? projection_state::stopped : projection_state::elsewhere;
    status.head = status.lag_events = head.last;
    status.last_error = versions_error.empty() ? "no version is live" : versions_error;
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
