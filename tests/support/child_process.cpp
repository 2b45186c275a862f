#include "tests/support/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace linkledger::test {

child_process::child_process(std::vector<std::string> const& command) {
    std::vector<char*> arguments;
    for (auto const& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error{"cannot make a pipe"};
    pid_t const parent = ::getpid();
    id_ = ::fork();
    if (id_ < 0) throw std::runtime_error{"cannot fork"};
    if (id_ == 0) {
        ::dup2(ends[1], STDOUT_FILENO);
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(126);
        ::execv(arguments[0], arguments.data());
        ::_exit(127);
    }
    ::close(ends[1]);
    output_ = ends[0];
}

child_process::~child_process() {
    kill();
    ::close(output_);
}

std::optional<std::string> child_process::read_line() {
    for (;;) {
        if (auto const end = unread_.find('\n'); end != std::string::npos) {
            auto line = unread_.substr(0, end);
            unread_.erase(0, end + 1);
            return line;
        }
        std::array<char, 4096> buffer{};
        auto const count = ::read(output_, buffer.data(), buffer.size());
        if (count > 0)
            unread_.append(buffer.data(), static_cast<std::size_t>(count));
        else if (count == 0 || errno != EINTR)
            return std::nullopt;
    }
}

void child_process::signal(int number) const {
    if (!ended_) ::kill(id_, number);
}

void child_process::wait_until_stopped() const {
    for (;;) {
        // The state is the first word behind the name, which stands in parentheses.
        std::ifstream file{"/proc/" + std::to_string(id_) + "/stat"};
        std::string line;
        std::getline(file, line);
        auto const name_end = line.rfind(')');
        if (name_end == std::string::npos) throw std::runtime_error{"the process ended instead of stopping"};
        char const state = line.at(name_end + 2);
        if (state == 'T') return;
        if (state == 'Z') throw std::runtime_error{"the process ended instead of stopping"};
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
}

int child_process::wait() {
    while (!ended_) {
        int status = 0;
        if (::waitpid(id_, &status, 0) == id_)
            ended_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
        else if (errno != EINTR)
            ended_ = -1;
    }
    return *ended_;
}

void child_process::kill() {
    signal(SIGKILL);
    wait();
}

}  // namespace linkledger::test
