#include "tests/support/temp_folder.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <stdexcept>
#include <system_error>

namespace linkledger::test {

temp_folder::temp_folder() : owner_(::getpid()) {
    path_ = (std::filesystem::temp_directory_path() / "linkledger-test-XXXXXX").string();
    if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
}

temp_folder::~temp_folder() {
    if (::getpid() != owner_) return;
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

namespace {

bool is_free(int port) {
    int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) throw std::runtime_error("no socket");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    bool const bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    return bound;
}

}  // namespace

int free_port() {
    // From below those that Linux gives to outgoing connections (32768 and up unless configured): such a
    // connection could take the port of a server that is being restarted.
    thread_local std::mt19937 chance{std::random_device{}()};
    std::uniform_int_distribution<int> any{10'000, 32'000};
    for (int tries = 0; tries < 1'000; ++tries) {
        if (int const port = any(chance); is_free(port)) return port;
    }
    throw std::runtime_error("no free port on the loopback address");
}

}  // namespace linkledger::test
