#include "projections/replay.h"

#include "eventlog/position_by_time.h"
#include "migrations/migrator.h"
#include "projections/builds.h"
#include "projections/read_store.h"
#include "projections/registry.h"
#include "projections/replay_file.h"
#include "projections/replay_fill.h"

#include <spdlog/spdlog.h>

#include <filesystem>
#include <fstream>
#include <vector>

namespace linkledger::projections {
namespace {

namespace fs = std::filesystem;
using eventlog::failure;
using eventlog::failure_code;
using eventlog::position;
using eventlog::result;

std::string read_file(fs::path const& path) {
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, {}};
}

/// What a folder of unfinished work is for: another log's or position's cannot be gone on with.
std::string purpose_of(eventlog::log_head const& head, position until) {
    return "log " + domain::to_string(head.log_id) + " epoch " + std::to_string(head.epoch) + " until " +
           std::to_string(until) + "\n";
}

/// Unfinished work is not synced: what was written before the machine was last started may be damaged.
std::string this_start_of_the_machine() {
    auto const id = read_file("/proc/sys/kernel/random/boot_id");
    return "boot " + (id.empty() ? domain::to_rfc3339(eventlog::timestamp{}) + "\n" : id);
}

result<void> prepare_folder(fs::path const& folder, std::string const& purpose) {
    auto const note = folder / "replay.txt";
    auto const boot = this_start_of_the_machine();
    std::error_code error;
    if (fs::exists(folder, error)) {
        auto const found = read_file(note);
        if (found == purpose + boot) return boost::outcome_v2::success();
        if (!found.starts_with(purpose) && !fs::is_empty(folder, error))
            return failure{failure_code::unavailable,
                           folder.string() + " holds the unfinished replay of another log or position (" +
                               found.substr(0, found.find('\n')) +
                               "); finish that one, or delete the folder"};
        fs::remove_all(folder, error);
    }
    fs::create_directories(folder, error);
    std::ofstream file{note};
    file << purpose << boot;
    file.close();
    if (error || !file)
        return failure{failure_code::unavailable, "the folder " + folder.string() + " cannot be written"};
    return boost::outcome_v2::success();
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
        std::vector<std::string> parts;
        {
            auto const store = create_sqlite_read_store(files, lifetime::brief);
            adopt_builds(*store, create_all());
            BOOST_OUTCOME_TRY(auto const until, head_at(log, head, options.until));
            auto how = options;
            if (!how.readers) how.readers = [&log] { return eventlog::create_bulk_reader(log); };
            BOOST_OUTCOME_TRY(fill_read_models(until, {log, keys, *store}, how));
            for (auto const& name : projection_names())
                store->read(name, [&](snapshot const& now) {
                    parts.push_back(read_model_path(files, name, now.build));
                });
        }
        spdlog::debug("replay: the read models are filled");
        auto const whole = (folder / "whole.db").string();
        auto const outcome = make_replay_file(parts, whole, head, options);
        fs::rename(whole, options.into);
        sync_folder(fs::path{options.into}.parent_path().string());
        fs::remove_all(folder);
        return outcome;
    } catch (std::exception const& failed) {
        return failure{failure_code::unavailable, failed.what()};
    }
}

}  // namespace linkledger::projections
