#include "projections/replay.h"

#include "eventlog/crypto.h"
#include "migrations/migrator.h"
#include "projections/builds.h"
#include "projections/event_source.h"
#include "projections/read_store.h"
#include "projections/registry.h"
#include "projections/replay_file.h"
#include "projections/runner.h"

#include <algorithm>
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

result<void> run_projections(event_source& source, eventlog::keyring& keys, read_store& store,
                             replay_options const& how) {
    runner_options options;
    options.batch_events_max = 10'000;
    options.linger = std::chrono::milliseconds{0};
    runner running{source, keys, store, create_all(), options};
    running.start();
    auto const already = look_at(running, how.until).lowest;
    auto failing_since = std::chrono::steady_clock::time_point::max();
    for (;;) {
        auto const now = look_at(running, how.until);
        if (how.progress) how.progress(now.lowest, already);
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
    position low = 0;
    position high = head.last;
    while (low < high) {
        position const middle = low + (high - low + 1) / 2;
        eventlog::read_query query;
        query.after = middle - 1;
        query.until = middle;
        query.limit = 1;
        BOOST_OUTCOME_TRY(auto const page, log.read(query));
        if (!page.events.empty() && page.events.front().recorded_at <= at)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
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
        bounded_source source{log, options.until};
        BOOST_OUTCOME_TRY(run_projections(source, keys, *store, options));
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
