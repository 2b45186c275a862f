#include "eventlog/sqlite_click_filing.h"

#include <algorithm>
#include <tuple>

namespace linkledger::eventlog {

namespace {

using sql::sqlite::reset_guard;

}  // namespace

click_filing::click_filing(sqlite3* on)
    : on_(on),
      find_{on, "SELECT version, directory FROM click_streams WHERE number = ?1"},
      add_stream_{on, "INSERT INTO click_streams (number, version, directory) VALUES (?1, ?2, ?3)"},
      move_stream_{
          on, "UPDATE click_streams SET version = ?2, directory = ?3 WHERE number = ?1 AND version = ?4"},
      add_directory_{on, "INSERT INTO click_directories (until, workspaces, streams) VALUES (?1, ?2, ?3)"},
      add_milestone_{
          on, "INSERT INTO click_milestones (stream_number, version, directory) VALUES (?1, ?2, ?3)"} {}

void click_filing::start_over(position filed) {
    filed_ = filed;
    pending_.clear();
    streams_.clear();
}

void click_filing::others_filed(position filed) {
    filed_ = filed;
    auto const left = std::find_if(pending_.begin(), pending_.end(),
                                   [&](filed_click const& click) { return click.position > filed; });
    pending_.erase(pending_.begin(), left);
    streams_.clear();
}

version click_filing::newest(std::int64_t stream_number) {
    auto const latest = std::find_if(pending_.rbegin(), pending_.rend(), [&](filed_click const& click) {
        return click.stream_number == stream_number;
    });
    return latest != pending_.rend() ? latest->version : find(stream_number).newest;
}

click_filing::filed_stream click_filing::find(std::int64_t stream_number) {
    if (auto const* known = streams_.find(stream_number)) return *known;
    reset_guard const guard{find_};
    find_.bind(1, stream_number);
    if (!find_.step()) return {};
    return streams_.put(stream_number, {find_.integer(0), find_.integer(1)});
}

void click_filing::file(position until) {
    if (!pending_.empty()) {
        auto const workspaces = encode_workspaces(until, pending_);
        auto const by_stream = [](filed_click const& a, filed_click const& b) {
            return std::tie(a.stream_number, a.version) < std::tie(b.stream_number, b.version);
        };
        std::sort(pending_.begin(), pending_.end(), by_stream);
        std::span<filed_click const> rest{pending_};
        auto const streams = encode_streams(until, pending_, [&](std::int64_t number) {
            auto const begin = std::find_if(rest.begin(), rest.end(), [&](filed_click const& click) {
                return click.stream_number == number;
            });
            auto const end = std::find_if(
                begin, rest.end(), [&](filed_click const& click) { return click.stream_number != number; });
            std::span<filed_click const> const own{begin, end};
            rest = {end, rest.end()};
            return move_on(own, number, until);
        });
        reset_guard const guard{add_directory_};
        add_directory_.bind(1, until);
        add_directory_.bind_bytes(2, workspaces);
        add_directory_.bind_bytes(3, streams);
        add_directory_.run();
        pending_.clear();
    }
    filed_ = until;
}

/// Makes this directory the newest one of the stream; returns the one that was.
position click_filing::move_on(std::span<filed_click const> clicks, std::int64_t stream_number,
                               position until) {
    filed_stream const before = find(stream_number);
    filed_stream const after{clicks.back().version, until};
    // What must not be: a click with a version that the stream has already.
    if (clicks.front().version <= before.newest)
        throw sql::error{sql::error::kind::other, "a stream's clicks are not in order"};
    auto& change = before.directory == 0 ? add_stream_ : move_stream_;
    reset_guard const guard{change};
    change.bind(1, stream_number);
    change.bind(2, after.newest);
    change.bind(3, after.directory);
    if (before.directory != 0) change.bind(4, before.newest);
    change.run();
    if (sqlite3_changes(on_) != 1)
        throw sql::error{sql::error::kind::other, "a stream's newest click is not the one it was"};
    if (is_milestone(before.newest, after.newest)) {
        add_milestone_.bind(1, stream_number);
        add_milestone_.bind(2, after.newest);
        add_milestone_.bind(3, until);
        add_milestone_.run();
    }
    streams_.put(stream_number, after);
    return before.directory;
}

}  // namespace linkledger::eventlog
