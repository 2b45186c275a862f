#include "cli/terminal.h"

#include <fmt/format.h>

#include <unistd.h>
#include <algorithm>

namespace linkledger::cli {

namespace {

constexpr std::size_t bar_width = 30;
constexpr std::chrono::milliseconds redraw_pause{100};
constexpr std::chrono::seconds plain_pause{5};

/// Code points rather than bytes, so that columns with other letters stand straight too.
std::size_t width(std::string const& text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xC0) != 0x80; }));
}

bool looks_like_a_number(std::string const& text) {
    return text.empty() || text == "-" || std::all_of(text.begin(), text.end(), [](unsigned char c) {
               return std::isdigit(c) != 0 || c == ',' || c == '.';
           });
}

}  // namespace

std::string bar(std::uint64_t position, std::uint64_t total) {
    std::size_t const filled =
        std::min<std::size_t>(bar_width, position * bar_width / std::max<std::uint64_t>(total, 1));
    return std::string(filled, '#') + std::string(bar_width - filled, '.');
}

bool is_terminal(std::FILE* stream) {
    return ::isatty(::fileno(stream)) == 1;
}

std::string grouped(std::uint64_t number) {
    std::string text = std::to_string(number);
    for (int at = static_cast<int>(text.size()) - 3; at > 0; at -= 3)
        text.insert(static_cast<std::size_t>(at), ",");
    return text;
}

std::string readable(std::chrono::milliseconds duration) {
    auto const ms = duration.count();
    auto const seconds = ms / 1000;
    if (ms < 1000) return fmt::format("{} ms", ms);
    if (seconds < 60) return fmt::format("{} s", seconds);
    if (seconds < 3600) return fmt::format("{} min {} s", seconds / 60, seconds % 60);
    return fmt::format("{} h {} min", seconds / 3600, seconds % 3600 / 60);
}

progress::progress(std::FILE* stream, std::string label, std::string unit, std::uint64_t total)
    : stream_(stream),
      label_(std::move(label)),
      unit_(std::move(unit)),
      total_(total),
      terminal_(is_terminal(stream)) {}

progress::~progress() {
    finish();
}

void progress::update(std::uint64_t position, std::uint64_t already) {
    position_ = std::max(position_, position);
    already_ = already;
    auto const at = clock::now();
    if (terminal_ ? at - shown_at_ >= redraw_pause : at - std::max(shown_at_, started_) >= plain_pause)
        show(at);
}

void progress::finish() {
    if (finished_) return;
    finished_ = true;
    show(clock::now());
    if (terminal_) std::fputc('\n', stream_);
    std::fflush(stream_);
}

std::string progress::line(clock::time_point at) const {
    auto const elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(at - started_);
    auto const done = position_ - std::min(position_, already_);
    double const rate =
        elapsed.count() > 0 ? 1000.0 * static_cast<double>(done) / static_cast<double>(elapsed.count()) : 0;
    std::string text = label_ + "  ";
    if (total_ > 0) {
        if (terminal_) text += "[" + bar(position_, total_) + "] ";
        text += fmt::format("{} of {} {} ({} %)", grouped(position_), grouped(total_), unit_,
                            position_ * 100 / total_);
    } else {
        text += fmt::format("{} {}", grouped(position_), unit_);
    }
    text += fmt::format(", {} {}/s", grouped(static_cast<std::uint64_t>(rate)), unit_);
    if (finished_) return text + ", took " + readable(elapsed);
    if (total_ > position_ && rate > 0) {
        auto const left_ms =
            static_cast<std::int64_t>(1000.0 * static_cast<double>(total_ - position_) / rate);
        text += ", " + readable(std::chrono::milliseconds{left_ms}) + " left";
    }
    return text;
}

void progress::show(clock::time_point at) {
    shown_at_ = at;
    if (terminal_) {
        fmt::print(stream_, "\r\x1b[K{}", line(at));
    } else {
        fmt::print(stream_, "{}\n", line(at));
    }
    std::fflush(stream_);
}

std::string table(std::vector<std::string> const& header, std::vector<std::vector<std::string>> const& rows) {
    std::vector<std::size_t> widths;
    std::vector<bool> numeric(header.size(), true);
    for (auto const& title : header) widths.push_back(width(title));
    for (auto const& row : rows) {
        for (std::size_t i = 0; i < header.size(); ++i) {
            widths[i] = std::max(widths[i], width(row.at(i)));
            numeric[i] = numeric[i] && looks_like_a_number(row[i]);
        }
    }
    auto const append = [&](std::string& to, std::vector<std::string> const& cells) {
        std::string line;
        for (std::size_t i = 0; i < header.size(); ++i) {
            std::string const padding(widths[i] - width(cells[i]), ' ');
            line += (i == 0 ? "" : "  ") + (numeric[i] ? padding + cells[i] : cells[i] + padding);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        to += line + "\n";
    };
    std::string text;
    append(text, header);
    for (auto const& row : rows) append(text, row);
    return text;
}

}  // namespace linkledger::cli
