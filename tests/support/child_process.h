#pragma once
// A program of ours run by a test: its lines are read, it is stopped, killed and waited for by its id.

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace linkledger::test {

/// Killed and reaped at the end of its scope, and by the kernel when the test dies.
class child_process {
public:
    /// Runs `command` (the program's path first) with its standard output read by this object.
    explicit child_process(std::vector<std::string> const& command);
    ~child_process();
    child_process(child_process const&) = delete;
    child_process& operator=(child_process const&) = delete;

    /// The next line of its output; waits for it. None: the output has ended.
    [[nodiscard]] std::optional<std::string> read_line();

    void signal(int number) const;
    /// Returns once the kernel says that the process is stopped (SIGSTOP).
    void wait_until_stopped() const;
    /// Waits for its end; the exit code, or the negative number of the signal that ended it.
    int wait();
    /// SIGKILL, and waits. What it wrote before can still be read.
    void kill();

private:
    pid_t id_ = -1;
    int output_ = -1;
    std::optional<int> ended_;
    std::string unread_;
};

}  // namespace linkledger::test
