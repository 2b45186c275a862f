#pragma once
// `flock` on a file of its own: one holder at a time, given up by the kernel when the process dies.

#include <optional>
#include <string>

namespace linkledger::sql {

class file_lock {
public:
    file_lock(file_lock&& other) noexcept;
    file_lock& operator=(file_lock&&) = delete;
    ~file_lock();

private:
    friend std::optional<file_lock> try_lock_file(std::string const& path);
    explicit file_lock(int descriptor) : descriptor_(descriptor) {}

    int descriptor_;
};

/// None: someone else holds it. Makes the file (0600) where it is missing; throws sql::error (`unavailable`)
/// when it cannot be opened.
[[nodiscard]] std::optional<file_lock> try_lock_file(std::string const& path);

}  // namespace linkledger::sql
