#pragma once
// The executable as a child process: run to its end, or in the background and signalled by its id.

#include <sys/types.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace linkledger::test {

using variables = std::map<std::string, std::string>;

struct finished {
    int exit_code = -1;  ///< 128 and the signal where one ended it.
    std::string out;
    std::string err;
};

/// A child with an environment of its own: PATH and what is given, nothing else. Killed on destruction.
class process {
public:
    /// Output goes to files, so that a child never waits for its reader.
    process(std::vector<std::string> const& arguments, variables const& environment,
            std::string const& folder = {});
    ~process();
    process(process const&) = delete;
    process& operator=(process const&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }
    void signal(int number) const;
    /// False once it has ended.
    [[nodiscard]] bool running();
    /// Waits for the end; after `patience` it is killed and the exit code is 137.
    finished wait(std::chrono::seconds patience = std::chrono::seconds{120});

    /// What was written so far.
    [[nodiscard]] std::string out() const;
    [[nodiscard]] std::string err() const;

private:
    void reap(int options);

    pid_t pid_ = -1;
    int exit_code_ = -1;
    bool ended_ = false;
    int out_ = -1;
    int err_ = -1;
};

/// `linkledger ARGUMENTS…` to its end.
finished linkledger(std::vector<std::string> arguments, variables const& environment);

}  // namespace linkledger::test
