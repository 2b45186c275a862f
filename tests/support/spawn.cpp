#include "tests/support/spawn.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>

namespace linkledger::test {

std::string find_server(std::string const& name) {
    for (auto const* folder : {"/usr/sbin/", "/usr/bin/", "/usr/local/bin/"})
        if (std::filesystem::exists(folder + name)) return folder + name;
    throw std::runtime_error("no " + name + " on this machine; ./dev test installs it");
}

pid_t spawn(std::vector<std::string> const& command, std::string const& log, spawn_options const& options) {
    std::vector<char*> arguments;
    for (auto const& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    pid_t const parent = ::getpid();
    pid_t const child = ::fork();
    if (child < 0) throw std::runtime_error("cannot fork");
    if (child > 0) return child;

    int const out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    if (options.as) {
        if (::geteuid() == 0 && (::setgroups(0, nullptr) != 0 || ::setgid(options.as->group) != 0 ||
                                 ::setuid(options.as->user) != 0))
            ::_exit(126);
        if (::chdir("/") != 0) ::_exit(126);
    }
    ::prctl(PR_SET_PDEATHSIG, options.on_parent_death);
    if (::getppid() != parent) ::_exit(126);
    ::setsid();  // Ctrl-C on the terminal is for the test, which then stops the server in order.
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
}

}  // namespace linkledger::test
