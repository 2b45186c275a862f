#pragma once
// The bytes of a directory: which clicks of which streams and workspaces a stretch of the log has.

#include "eventlog/event_log.h"

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace linkledger::eventlog {

/// The type of event that a log in SQLite files apart.
inline constexpr std::string_view click_type = "link.clicked";

/// What a directory keeps of a click.
struct filed_click {
    eventlog::position position = 0;
    std::int64_t stream_number = 0;
    eventlog::version version = 0;
    uuid workspace_id{};

    bool operator==(filed_click const&) const = default;
};

/// Clicks of one stream with versions in a row. A stream has several runs in a directory when events of other
/// types stand between its clicks.
struct click_run {
    version first_version = 0;
    position previous = 0;  ///< The directory before this one that has clicks of the stream; 0: none.
    std::vector<position> positions;

    [[nodiscard]] version last_version() const {
        return first_version + static_cast<version>(positions.size()) - 1;
    }
    bool operator==(click_run const&) const = default;
};

/// Whether a stream whose newest click in directories moves on so leaves a milestone on the way: each 1,024th
/// click does.
[[nodiscard]] constexpr bool is_milestone(version before, version after) {
    return before / 1024 != after / 1024;
}

/// `clicks` are sorted by stream number and version, and none is beyond `until`. `previous_of` is asked once
/// per stream, in order.
[[nodiscard]] std::string encode_streams(position until, std::span<filed_click const> clicks,
                                         std::function<position(std::int64_t number)> const& previous_of);

/// The runs of a stream, oldest first. Throws sql::error for bytes that are none of a directory.
[[nodiscard]] std::vector<click_run> runs_of(std::int64_t stream_number, position until,
                                             std::string_view streams);

/// `clicks` are sorted by position, and none is beyond `until`. Those of no workspace are left out.
[[nodiscard]] std::string encode_workspaces(position until, std::span<filed_click const> clicks);

/// The positions of a workspace's clicks, in order. Throws sql::error for bytes that are none of a directory.
[[nodiscard]] std::vector<position> positions_of(uuid const& workspace, position until,
                                                 std::string_view workspaces);

}  // namespace linkledger::eventlog
