#pragma once
// A whole file as a string.

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace linkledger::test {

/// Its bytes as they are; empty where it cannot be read.
[[nodiscard]] inline std::string read_file(std::filesystem::path const& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

}  // namespace linkledger::test
