#pragma once
// How the servers of tests are started: as children whose output is kept and who do not outlive their test.

#include <sys/types.h>

#include <csignal>
#include <optional>
#include <string>
#include <vector>

namespace linkledger::test {

struct account {
    uid_t user = 0;
    gid_t group = 0;
};

struct spawn_options {
    int on_parent_death = SIGKILL;  ///< What the child gets when the thread that started it ends.
    std::optional<account> as{};    ///< Whom the child becomes when the parent is root; it then works in `/`.
};

/// The path of an installed server. Throws std::runtime_error when there is none.
[[nodiscard]] std::string find_server(std::string const& name);

/// Forks and executes `command` (its first word a path), with the output appended to `log`. Throws
/// std::runtime_error when it cannot fork; what fails later ends the child with 126 or 127.
[[nodiscard]] pid_t spawn(std::vector<std::string> const& command, std::string const& log,
                          spawn_options const& options = {});

}  // namespace linkledger::test
