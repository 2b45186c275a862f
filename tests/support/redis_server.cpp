#include "tests/support/redis_server.h"

#include "tests/support/read_file.h"
#include "tests/support/spawn.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

namespace linkledger::test {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

}  // namespace

redis_server::redis_server(std::string password) : password_(std::move(password)) {
    start();
}

redis_server::~redis_server() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGCONT);
    await_end(SIGKILL);
}

std::string redis_server::url() const {
    return "redis://" + (password_.empty() ? "" : ":" + password_ + "@") +
           "127.0.0.1:" + std::to_string(port_);
}

redis::options redis_server::options() const {
    redis::options made;
    made.where = redis::parse_url(url());
    return made;
}

redis::reply redis_server::call(redis::words const& command) const {
    return redis::connection{options()}.call(command);
}

void redis_server::start() {
    // Between the choice of a port and its use another process may take it: then try another.
    bool const chosen = port_ != 0;
    for (int attempt = 1;; ++attempt) {
        try {
            if (port_ == 0) port_ = free_port();
            return try_start();
        } catch (std::runtime_error const&) {
            if (attempt == 3) throw;
            if (!chosen) port_ = 0;
        }
    }
}

void redis_server::stop() {
    if (pid_ >= 0) await_end(SIGTERM);
}

void redis_server::kill9() {
    if (pid_ >= 0) await_end(SIGKILL);
}

void redis_server::pause() const {
    ::kill(pid_, SIGSTOP);
}

void redis_server::resume() const {
    ::kill(pid_, SIGCONT);
}

void redis_server::try_start() {
    auto const server = find_server("redis-server");
    std::vector<std::string> command{server,  "--bind",       "127.0.0.1", "--port", std::to_string(port_),
                                     "--dir", folder_.path(), "--save",    "",       "--appendonly",
                                     "no"};
    if (!password_.empty()) command.insert(command.end(), {"--requirepass", password_});
    pid_ = spawn(command, folder_.file("server.log"));
    for (auto const until = steady::now() + 30s; steady::now() < until; std::this_thread::sleep_for(5ms)) {
        if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
            pid_ = -1;
            throw std::runtime_error("redis-server did not start: " + log_tail());
        }
        try {
            call({"PING"});
            return;
        } catch (redis::error const&) {
            // Not yet.
        }
    }
    await_end(SIGKILL);
    throw std::runtime_error("redis-server is not ready: " + log_tail());
}

std::string redis_server::log_tail() const {
    auto const text = read_file(folder_.file("server.log"));
    return text.size() > 2'000 ? text.substr(text.size() - 2'000) : text;
}

void redis_server::await_end(int signal) {
    ::kill(pid_, signal);
    auto const until = steady::now() + 30s;
    while (::waitpid(pid_, nullptr, WNOHANG) != pid_) {
        if (steady::now() > until) ::kill(pid_, SIGKILL);
        std::this_thread::sleep_for(2ms);
    }
    pid_ = -1;
}

}  // namespace linkledger::test
