#pragma once
// What the command line shows: progress bars and tables on a terminal, plain lines elsewhere.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace linkledger::cli {

[[nodiscard]] bool is_terminal(std::FILE* stream);

/// `20,000`
[[nodiscard]] std::string grouped(std::uint64_t number);
/// `850 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`
[[nodiscard]] std::string readable(std::chrono::milliseconds duration);

/// `[####......]` without the brackets.
[[nodiscard]] std::string bar(std::uint64_t position, std::uint64_t total);

/// A line of progress with position, rate and time left. On a terminal it is redrawn in place ten times a
/// second at most; elsewhere a plain line appears every five seconds, so that logs stay short.
class progress {
public:
    /// `total` 0: not known, then neither share nor time left is shown.
    progress(std::FILE* stream, std::string label, std::string unit, std::uint64_t total);
    /// Ends the line.
    ~progress();
    progress(progress const&) = delete;
    progress& operator=(progress const&) = delete;

    /// Positions never go back. `already` of them were done before this run and do not count for the rate.
    void update(std::uint64_t position, std::uint64_t already = 0);
    void finish();

private:
    using clock = std::chrono::steady_clock;

    [[nodiscard]] std::string line(clock::time_point at) const;
    void show(clock::time_point at);

    std::FILE* stream_;
    std::string label_;
    std::string unit_;
    std::uint64_t total_;
    std::uint64_t position_ = 0;
    std::uint64_t already_ = 0;
    bool terminal_;
    bool finished_ = false;
    clock::time_point started_ = clock::now();
    clock::time_point shown_at_{};
};

/// A table with a header line; a column whose cells are all numbers is aligned to the right.
[[nodiscard]] std::string table(std::vector<std::string> const& header,
                                std::vector<std::vector<std::string>> const& rows);

}  // namespace linkledger::cli
