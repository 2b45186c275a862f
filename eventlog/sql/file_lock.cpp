#include "eventlog/sql/file_lock.h"

#include "eventlog/sql/connection.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace linkledger::sql {

file_lock::file_lock(file_lock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

file_lock::~file_lock() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

std::optional<file_lock> try_lock_file(std::string const& path) {
    int const descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0)
        throw error{error::kind::unavailable, "cannot open " + path + ": " + std::strerror(errno)};
    file_lock held{descriptor};
    if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return held;
    return std::nullopt;
}

}  // namespace linkledger::sql
