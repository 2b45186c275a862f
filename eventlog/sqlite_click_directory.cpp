#include "eventlog/sqlite_click_directory.h"

#include "eventlog/bytes.h"
#include "eventlog/sql/connection.h"

#include <algorithm>
#include <map>

namespace linkledger::eventlog {

namespace {

// Numbers are written seven bits at a time, the lowest first; all but the last byte have the high bit set.
// Nearly all are differences that fit into a byte or two:
//   streams:    for each run: stream number - that of the run before, first version,
//               until - previous (0: none), count, positions
//   workspaces: for each: 16 bytes of id, length of the positions in bytes, positions
//   positions:  until - first position, then each one's distance from the one before

void write_number(std::string& to, std::int64_t value) {
    auto rest = static_cast<std::uint64_t>(value);
    for (; rest >= 0x80; rest >>= 7) to += static_cast<char>(rest | 0x80);
    to += static_cast<char>(rest);
}

[[noreturn]] void refuse() {
    throw sql::error{sql::error::kind::other, "a directory of clicks has bytes that mean nothing"};
}

/// Reads from the front.
class number_reader {
public:
    explicit number_reader(std::string_view bytes) : rest_(bytes) {}

    [[nodiscard]] bool done() const { return rest_.empty(); }
    std::int64_t number() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            if (rest_.empty()) refuse();
            auto const byte = static_cast<unsigned char>(rest_.front());
            rest_.remove_prefix(1);
            value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
            if (byte < 0x80) return static_cast<std::int64_t>(value);
        }
        refuse();
    }
    /// A count of things that take at least a byte each.
    std::size_t count() {
        auto const value = static_cast<std::uint64_t>(number());
        if (value > rest_.size()) refuse();
        return static_cast<std::size_t>(value);
    }
    std::string_view bytes(std::size_t size) {
        if (rest_.size() < size) refuse();
        auto const front = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return front;
    }

private:
    std::string_view rest_;
};

/// The end of a run: versions go on by one within it.
std::size_t end_of_run(std::span<filed_click const> clicks, std::size_t begin) {
    std::size_t end = begin + 1;
    while (end < clicks.size() && clicks[end].stream_number == clicks[begin].stream_number &&
           clicks[end].version == clicks[end - 1].version + 1)
        ++end;
    return end;
}

}  // namespace

std::string encode_streams(position until, std::span<filed_click const> clicks,
                           std::function<position(std::int64_t number)> const& previous_of) {
    std::string bytes;
    bytes.reserve(clicks.size() * 8);
    std::int64_t number = 0;
    position previous = 0;
    for (std::size_t begin = 0; begin < clicks.size();) {
        auto const& first = clicks[begin];
        if (begin == 0 || first.stream_number != number) previous = previous_of(first.stream_number);
        std::size_t const end = end_of_run(clicks, begin);
        write_number(bytes, first.stream_number - number);
        write_number(bytes, first.version);
        write_number(bytes, previous == 0 ? 0 : until - previous);
        write_number(bytes, static_cast<std::int64_t>(end - begin));
        write_number(bytes, until - first.position);
        for (std::size_t i = begin + 1; i < end; ++i)
            write_number(bytes, clicks[i].position - clicks[i - 1].position);
        number = first.stream_number;
        begin = end;
    }
    return bytes;
}

std::vector<click_run> runs_of(std::int64_t stream_number, position until, std::string_view streams) {
    std::vector<click_run> runs;
    std::int64_t number = 0;
    for (number_reader in{streams}; !in.done();) {
        number += in.number();
        if (number > stream_number) break;
        click_run run;
        run.first_version = in.number();
        auto const back = in.number();
        run.previous = back == 0 ? 0 : until - back;
        std::size_t const count = in.count();
        bool const wanted = number == stream_number;
        if (wanted) run.positions.reserve(count);
        position at = until;
        for (std::size_t i = 0; i < count; ++i) {
            at = i == 0 ? until - in.number() : at + in.number();
            if (wanted) run.positions.push_back(at);
        }
        if (wanted) runs.push_back(std::move(run));
    }
    return runs;
}

std::string encode_workspaces(position until, std::span<filed_click const> clicks) {
    struct positions {
        std::string bytes;
        position last = 0;
    };
    std::map<uuid, positions> of;
    for (auto const& click : clicks) {
        if (click.workspace_id.is_nil()) continue;
        auto& those = of[click.workspace_id];
        write_number(those.bytes, those.last == 0 ? until - click.position : click.position - those.last);
        those.last = click.position;
    }
    std::string bytes;
    for (auto const& [id, those] : of) {
        bytes += view_of(id);
        write_number(bytes, static_cast<std::int64_t>(those.bytes.size()));
        bytes += those.bytes;
    }
    return bytes;
}

std::vector<position> positions_of(uuid const& workspace, position until, std::string_view workspaces) {
    std::vector<position> positions;
    for (number_reader in{workspaces}; !in.done();) {
        auto const id = in.bytes(workspace.bytes.size());
        number_reader those{in.bytes(in.count())};
        bool const wanted =
            std::equal(id.begin(), id.end(), workspace.bytes.begin(),
                       [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
        if (!wanted) continue;
        while (!those.done())
            positions.push_back(positions.empty() ? until - those.number()
                                                  : positions.back() + those.number());
        break;
    }
    return positions;
}

}  // namespace linkledger::eventlog
