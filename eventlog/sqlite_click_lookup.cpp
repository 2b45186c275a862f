#include "eventlog/sqlite_click_lookup.h"

#include <algorithm>

namespace linkledger::eventlog {

namespace {

using sql::sqlite::reset_guard;

/// A search for a workspace that clicks are rare in stops after so many directories, each of a thousand
/// events or so.
constexpr int directories_at_once = 16'384;

void bind_workspace(sql::sqlite::statement& to, int parameter, uuid const& id) {
    to.bind_bytes(parameter, id.bytes.data(), id.bytes.size());
}

}  // namespace

click_lookup::click_lookup(sqlite3* on)
    : filed_{on, "SELECT filed FROM log_head"},
      last_filed_{on, "SELECT version, directory FROM click_streams WHERE number = ?1"},
      milestone_at_version_{on,
                            "SELECT version, directory FROM click_milestones "
                            "WHERE stream_number = ?1 AND version >= ?2 ORDER BY version LIMIT 1"},
      milestone_at_position_{on,
                             "SELECT version FROM click_milestones "
                             "WHERE stream_number = ?1 AND directory <= ?2 ORDER BY directory DESC LIMIT 1"},
      streams_{on, "SELECT streams FROM click_directories WHERE until = ?1"},
      workspaces_{on, "SELECT until, workspaces FROM click_directories WHERE until > ?1 ORDER BY until"},
      newest_unfiled_{on,
                      "SELECT version FROM events NOT INDEXED WHERE position > ?1 AND stream_number = ?2 "
                      "AND type = 'link.clicked' ORDER BY position DESC LIMIT 1"},
      unfiled_of_stream_{on,
                         "SELECT version, position FROM events NOT INDEXED WHERE position > ?1 "
                         "AND stream_number = ?2 AND version > ?3 AND version <= ?4 "
                         "AND type = 'link.clicked' ORDER BY position"},
      unfiled_of_workspace_{on,
                            "SELECT position FROM events NOT INDEXED WHERE position > ?1 AND position <= ?2 "
                            "AND workspace_id = ?3 AND type = 'link.clicked' ORDER BY position LIMIT ?4"} {}

position click_lookup::filed() {
    reset_guard const guard{filed_};
    return filed_.step() ? filed_.integer(0) : 0;
}

click_lookup::stream_end click_lookup::last_filed(std::int64_t stream_number) {
    reset_guard const guard{last_filed_};
    last_filed_.bind(1, stream_number);
    if (!last_filed_.step()) return {};
    return {last_filed_.integer(0), last_filed_.integer(1)};
}

version click_lookup::newest(std::int64_t stream_number) {
    {
        reset_guard const guard{newest_unfiled_};
        newest_unfiled_.bind(1, filed());
        newest_unfiled_.bind(2, stream_number);
        if (newest_unfiled_.step()) return newest_unfiled_.integer(0);
    }
    return last_filed(stream_number).newest;
}

std::vector<event_place> click_lookup::of_stream(std::int64_t stream_number, version after, version until) {
    auto const end = last_filed(stream_number);
    std::vector<event_place> found;
    if (end.newest > after) {
        auto from = end.directory;
        reset_guard const guard{milestone_at_version_};
        milestone_at_version_.bind(1, stream_number);
        milestone_at_version_.bind(2, until);
        if (milestone_at_version_.step()) from = milestone_at_version_.integer(1);
        found = filed_of_stream(stream_number, after, until, from);
    }
    if (end.newest >= until) return found;
    auto& rows = unfiled_of_stream_;
    reset_guard const guard{rows};
    rows.bind(1, filed());
    rows.bind(2, stream_number);
    rows.bind(3, after);
    rows.bind(4, until);
    while (rows.step()) found.push_back({rows.integer(0), rows.integer(1)});
    return found;
}

/// The way goes from the directory `from` back to the one that has the version after `after`.
std::vector<event_place> click_lookup::filed_of_stream(std::int64_t stream_number, version after,
                                                       version until, position from) {
    std::vector<std::vector<click_run>> newest_first;
    for (position directory = from; directory != 0;) {
        reset_guard const guard{streams_};
        streams_.bind(1, directory);
        auto runs =
            streams_.step() ? runs_of(stream_number, directory, streams_.bytes(0)) : std::vector<click_run>{};
        if (runs.empty())
            throw sql::error{sql::error::kind::other, "a directory lacks the clicks that it is to have"};
        if (runs.back().last_version() <= after) break;
        directory = runs.front().first_version <= after + 1 ? 0 : runs.front().previous;
        if (runs.front().first_version <= until) newest_first.push_back(std::move(runs));
    }
    std::vector<event_place> found;
    for (auto runs = newest_first.rbegin(); runs != newest_first.rend(); ++runs)
        for (auto const& run : *runs) {
            version at = run.first_version;
            for (position const where : run.positions) {
                if (at > after && at <= until) found.push_back({at, where});
                ++at;
            }
        }
    return found;
}

version click_lookup::version_not_after(std::int64_t stream_number, position at) {
    reset_guard const guard{milestone_at_position_};
    milestone_at_position_.bind(1, stream_number);
    milestone_at_position_.bind(2, at);
    return milestone_at_position_.step() ? milestone_at_position_.integer(0) : 0;
}

found_positions click_lookup::of_workspace(uuid const& workspace, position after, position until,
                                           std::size_t limit) {
    found_positions found{{}, until};
    position searched = after;
    {
        reset_guard const guard{workspaces_};
        workspaces_.bind(1, after);
        for (int looked = 0; searched < until && found.positions.size() < limit && workspaces_.step();) {
            searched = workspaces_.integer(0);
            for (position const at : positions_of(workspace, searched, workspaces_.bytes(1)))
                if (at > after && at <= until) found.positions.push_back(at);
            if (++looked == directories_at_once) found.searched_to = until = std::min(searched, until);
        }
    }
    auto& rows = unfiled_of_workspace_;
    if (searched < until && found.positions.size() < limit) {
        reset_guard const guard{rows};
        rows.bind(1, std::max(after, filed()));
        rows.bind(2, until);
        bind_workspace(rows, 3, workspace);
        rows.bind(4,
                  static_cast<std::int64_t>(std::min<std::size_t>(limit - found.positions.size(), 1u << 30)));
        while (rows.step()) found.positions.push_back(rows.integer(0));
    }
    if (found.positions.size() > limit) found.positions.resize(limit);
    return found;
}

}  // namespace linkledger::eventlog
