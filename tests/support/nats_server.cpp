#include "tests/support/nats_server.h"

#include "tests/support/read_file.h"
#include "tests/support/spawn.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <vector>

namespace linkledger::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

}  // namespace

nats_server::nats_server() {
    start();
}

nats_server::~nats_server() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGCONT);
    await_end(SIGKILL);
}

std::string nats_server::url() const {
    return "nats://127.0.0.1:" + std::to_string(port_);
}

std::string nats_server::log_tail() const {
    auto const text = read_file(folder_.file("server.log"));
    return text.size() > 2'000 ? text.substr(text.size() - 2'000) : text;
}

void nats_server::start() {
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

void nats_server::stop() {
    if (pid_ >= 0) await_end(SIGTERM);
}

void nats_server::kill9() {
    if (pid_ >= 0) await_end(SIGKILL);
}

void nats_server::restart() {
    stop();
    start();
}

void nats_server::wipe() const {
    if (pid_ >= 0) throw std::runtime_error("the server must be stopped before its store is wiped");
    fs::remove_all(folder_.file("store"));
}

void nats_server::pause() const {
    ::kill(pid_, SIGSTOP);
}

void nats_server::resume() const {
    ::kill(pid_, SIGCONT);
}

void nats_server::try_start() {
    pid_ = spawn({find_server("nats-server"), "--addr", "127.0.0.1", "--port", std::to_string(port_),
                  "--jetstream", "--store_dir", folder_.file("store")},
                 folder_.file("server.log"));
    for (auto const until = steady::now() + 30s; steady::now() < until; std::this_thread::sleep_for(5ms)) {
        if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
            pid_ = -1;
            throw std::runtime_error("nats-server did not start: " + log_tail());
        }
        if (answers()) return;
    }
    await_end(SIGKILL);
    throw std::runtime_error("nats-server is not ready: " + log_tail());
}

/// The server greets who connects with a line that begins with INFO.
bool nats_server::answers() const {
    int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    timeval const patience{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<std::uint16_t>(port_));
    std::array<char, 4> greeting{};
    bool const greeted = ::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0 &&
                         ::recv(fd, greeting.data(), greeting.size(), MSG_WAITALL) == 4 &&
                         std::string_view{greeting.data(), 4} == "INFO";
    ::close(fd);
    return greeted;
}

void nats_server::await_end(int signal) {
    ::kill(pid_, signal);
    auto const until = steady::now() + 30s;
    while (::waitpid(pid_, nullptr, WNOHANG) != pid_) {
        if (steady::now() > until) ::kill(pid_, SIGKILL);
        std::this_thread::sleep_for(2ms);
    }
    pid_ = -1;
}

}  // namespace linkledger::test
