#pragma once
// A folder of a test's own, removed with everything in it.

#include <string>

namespace linkledger::test {

/// Only the process that made it removes it: a forked child leaves it alone.
class temp_folder {
public:
    temp_folder();
    ~temp_folder();
    temp_folder(temp_folder const&) = delete;
    temp_folder& operator=(temp_folder const&) = delete;

    [[nodiscard]] std::string const& path() const { return path_; }
    /// The path of `name` within the folder.
    [[nodiscard]] std::string file(std::string const& name) const { return path_ + "/" + name; }

private:
    std::string path_;
    int owner_;
};

/// A TCP port on the loopback address that was free a moment ago.
[[nodiscard]] int free_port();

}  // namespace linkledger::test
