#include "projections/replay.h"

#include "eventlog/crypto.h"
#include "eventlog/position_by_time.h"
#include "migrations/migrator.h"
#include "projections/builds.h"
#include "projections/event_source.h"
#include "projections/read_store.h"
#include "projections/rebuild/bulk_build.h"
#include "projections/registry.h"
#include "projections/replay_file.h"
#include "projections/runner.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

namespace linkledger::projections {
namespace {

namespace fs = std::filesystem;
using eventlog::failure;
using eventlog::failure_code;
using eventlog::position;
using eventlog::result;

constexpr std::chrono::milliseconds look_every{50};
constexpr std::chrono::seconds failing_max{30};

/// The log as it was when it ended at `until`.
class bounded_source final : public event_source {
public:
    bounded_source(eventlog::event_log& log, position until) : log_(log), until_(until) {}

    result<eventlog::log_head> head() override {
        BOOST_OUTCOME_TRY(auto head, log_.head());
        head.last = std::min(head.last, until_);
        return head;
    }
    result<eventlog::read_page> read(eventlog::read_query const& query) override {
        auto bounded = query;
        bounded.until = std::min(query.until, until_);
        return log_.read(bounded);
    }
    bool wait_beyond(position after, std::chrono::milliseconds deadline) override {
        if (after < until_) return true;
        std::this_thread::sleep_for(deadline);
        return false;
    }

private:
    eventlog::event_log& log_;
    position until_;
};

/// What a folder of unfinished work is for: another log's or position's cannot be gone on with.
std::string purpose_of(eventlog::log_head const& head, position until) {
    return "log " + domain::to_string(head.log_id) + " epoch " + std::to_string(head.epoch) + " until " +
           std::to_string(until) + "\n";
}

result<void> prepare_folder(fs::path const& folder, std::string const& purpose) {
    auto const note = folder / "replay.txt";
    std::error_code error;
    if (fs::exists(folder, error)) {
        std::ifstream file{note};
        std::string const found{std::istreambuf_iterator<char>{file}, {}};
        if (found == purpose) return boost::outcome_v2::success();
        if (!found.empty() || !fs::is_empty(folder, error))
            return failure{failure_code::unavailable,
                           folder.string() + " holds the unfinished replay of another log or position (" +
                               found.substr(0, found.find('\n')) +
                               "); finish that one, or delete the folder"};
    }
    fs::create_directories(folder, error);
    std::ofstream file{note};
    file << purpose;
    file.close();
    if (error || !file)
        return failure{failure_code::unavailable, "the folder " + folder.string() + " cannot be written"};
    return boost::outcome_v2::success();
}

struct reached {
    position lowest = 0;
    std::string problem;  ///< Of one that cannot go on now.
};

reached look_at(runner& running, position until) {
    reached now{until, {}};
    for (auto const& each : running.status()) {
        now.lowest = std::min(now.lowest, each.position);
        if (each.state == projection_state::retrying)
            now.problem = each.name + ": " + each.last_error.value_or("it cannot go on");
    }
    return now;
}

/// Progress of one read model after the other, as if it were one.
class whole_progress {
public:
    whole_progress(replay_options const& how, std::size_t models) : how_(how), models_(models) {}
    void show(position of_current) const {
        if (!how_.progress || models_ == 0) return;
        auto const models = static_cast<position>(models_);
        how_.progress(
            (static_cast<position>(finished_) * how_.until + std::min(of_current, how_.until)) / models, 0);
    }
    void finish_one() { ++finished_; }

private:
    replay_options const& how_;
    std::size_t models_;
    std::size_t finished_ = 0;
};

/// Shows how far a meter is until it goes.
class meter_watch {
public:
    meter_watch(rebuild_meter const& meter, whole_progress const& shown)
        : thread_([&meter, &shown](std::stop_token const& stop) {
              while (!stop.stop_requested()) {
                  shown.show(meter.now().position);
                  std::this_thread::sleep_for(look_every);
              }
          }) {}

private:
    std::jthread thread_;
};

struct live_model {
    build_id build;
    position at = 0;
};

live_model look_up(read_store& store, std::string const& name) {
    live_model found;
    store.read(name, [&](snapshot const& now) { found = {now.build, now.position}; });
    return found;
}

/// The read models whose rows can be made out of order. What an event keeps from that is left to the runner.
void fill_in_bulk(eventlog::log_head const& until, eventlog::keyring& keys, read_store& store,
                  replay_options const& how, whole_progress& shown) {
    std::atomic<bool> const stop{false};
    for (auto const& each : create_all()) {
        std::string const name{each->name()};
        auto const live = look_up(store, name);
        if (live.build.version != each->version() || !is_bulk_built(*each, sql::dialect::sqlite)) continue;
        rebuild_meter meter{name, live.build};
        if (live.at < until.last) {
            meter_watch const watching{meter, shown};
            bulk_options options;
            options.jobs = how.jobs;
            try {
                build_in_bulk(*each, live.build, until, options, {keys, store, how.readers, meter, stop});
            } catch (must_fold_in_order const& why) {
                spdlog::warn("{} is filled in order, since an event has to be parked: {}", name, why.what());
            }
        }
        shown.finish_one();
    }
}

std::size_t count_in_bulk(read_store& store) {
    std::size_t count = 0;
    for (auto const& each : create_all())
        if (is_bulk_built(*each, sql::dialect::sqlite) &&
            look_up(store, std::string{each->name()}).build.version == each->version())
            ++count;
    return count;
}

result<eventlog::log_head> head_at(eventlog::event_log& log, eventlog::log_head head, position until) {
    eventlog::read_query query;
    query.after = until - 1;
    query.until = until;
    query.limit = 1;
    head.last = until;
    if (until == 0) return head;
    BOOST_OUTCOME_TRY(auto const page, log.read(query));
    if (!page.events.empty()) head.recorded_at = page.events.front().recorded_at;
    return head;
}

/// Those that are filled in order, and what is missing of the others.
result<void> run_projections(event_source& source, eventlog::keyring& keys, read_store& store,
                             replay_options const& how, whole_progress const& shown) {
    runner_options options;
    options.batch_events_max = 10'000;
    options.linger = std::chrono::milliseconds{0};
    runner running{source, keys, store, create_all(), options};
    running.start();
    auto failing_since = std::chrono::steady_clock::time_point::max();
    for (;;) {
        auto const now = look_at(running, how.until);
        shown.show(now.lowest);
        if (now.lowest >= how.until) break;
        auto const time = std::chrono::steady_clock::now();
        if (now.problem.empty())
            failing_since = std::chrono::steady_clock::time_point::max();
        else
            failing_since = std::min(failing_since, time);
        if (time > failing_since && time - failing_since > failing_max) {
            running.stop();
            return failure{failure_code::unavailable, now.problem};
        }
        std::this_thread::sleep_for(look_every);
    }
    running.stop();
    return boost::outcome_v2::success();
}

}  // namespace

result<position> position_at(eventlog::event_log& log, eventlog::timestamp at) {
    BOOST_OUTCOME_TRY(auto const head, log.head());
    return eventlog::position_before(log, at + std::chrono::microseconds{1}, head.last);
}

result<replay_outcome> replay(eventlog::event_log& log, eventlog::keyring& keys,
                              replay_options const& options) {
    BOOST_OUTCOME_TRY(auto const head, log.head());
    if (options.until > head.last)
        return failure{failure_code::unavailable, "the log ends at position " + std::to_string(head.last)};
    if (fs::exists(options.into)) return failure{failure_code::unavailable, options.into + " exists already"};
    fs::path const folder{options.into + ".unfinished"};
    BOOST_OUTCOME_TRY(prepare_folder(folder, purpose_of(head, options.until)));
    auto const files = (folder / "read-models.db").string();
    try {
        migrations::up({sql::dialect::sqlite, files, {}});
        auto const store = create_sqlite_read_store(files);
        adopt_builds(*store, create_all());
        BOOST_OUTCOME_TRY(auto const until, head_at(log, head, options.until));
        auto how = options;
        if (!how.readers) how.readers = [&log] { return eventlog::create_bulk_reader(log); };
        whole_progress shown{how, count_in_bulk(*store) + 1};
        if (until.last > 0) fill_in_bulk(until, keys, *store, how, shown);
        bounded_source source{log, options.until};
        BOOST_OUTCOME_TRY(run_projections(source, keys, *store, how, shown));
        auto const outcome = make_replay_file(*store, files, (folder / "whole.db").string(), head, options);
        fs::rename(folder / "whole.db", options.into);
        fs::remove_all(folder);
        return outcome;
    } catch (sql::error const& failed) {
        return failure{failure_code::unavailable, failed.what()};
    } catch (std::exception const& failed) {
        return failure{failure_code::unavailable, failed.what()};
    }
}

}  // namespace linkledger::projections
