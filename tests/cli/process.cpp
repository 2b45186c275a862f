#include "tests/cli/process.h"
#include "paths.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <unistd.h>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <thread>

namespace linkledger::test {

namespace {

std::string content(int file) {
    std::string text;
    char block[4096];
    off_t at = 0;
    for (;;) {
        auto const count = ::pread(file, block, sizeof block, at);
        if (count <= 0) return text;
        text.append(block, static_cast<std::size_t>(count));
        at += count;
    }
}

}  // namespace

process::process(std::vector<std::string> const& arguments, variables const& environment,
                 std::string const& folder) {
    out_ = ::memfd_create("out", MFD_CLOEXEC);
    err_ = ::memfd_create("err", MFD_CLOEXEC);
    std::vector<std::string> settings{std::string{"PATH="} + std::getenv("PATH")};
    for (auto const& [name, value] : environment) settings.push_back(name + "=" + value);
    std::vector<char*> argv, envp;
    for (auto const& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    for (auto const& setting : settings) envp.push_back(const_cast<char*>(setting.c_str()));
    argv.push_back(nullptr);
    envp.push_back(nullptr);
    int const nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error{"fork failed"};
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!folder.empty() && ::chdir(folder.c_str()) != 0) ::_exit(126);
        ::dup2(nothing, 0);
        // Both descriptors of a file share one place to write at, and children of the child do too.
        ::dup2(out_, 1);
        ::dup2(err_, 2);
        ::execvpe(argv[0], argv.data(), envp.data());
        ::_exit(127);
    }
    ::close(nothing);
}

process::~process() {
    if (!ended_) {
        ::kill(pid_, SIGKILL);
        reap(0);
    }
    ::close(out_);
    ::close(err_);
}

void process::signal(int number) const {
    if (!ended_) ::kill(pid_, number);
}

bool process::running() {
    if (!ended_) reap(WNOHANG);
    return !ended_;
}

finished process::wait(std::chrono::seconds patience) {
    auto const until = std::chrono::steady_clock::now() + patience;
    while (running()) {
        if (std::chrono::steady_clock::now() >= until) {
            ::kill(pid_, SIGKILL);
            reap(0);
            break;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
    return {exit_code_, out(), err()};
}

std::string process::out() const {
    return content(out_);
}

std::string process::err() const {
    return content(err_);
}

void process::reap(int options) {
    int status = 0;
    if (::waitpid(pid_, &status, options) != pid_) return;
    ended_ = true;
    exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

finished linkledger(std::vector<std::string> arguments, variables const& environment) {
    arguments.insert(arguments.begin(), LINKLEDGER_EXECUTABLE);
    return process{arguments, environment}.wait();
}

}  // namespace linkledger::test
