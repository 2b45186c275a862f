#pragma once
// A whole file as a string.

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

namespace linkledger::test {

/// Its bytes as they are; empty where it cannot be read.
[[nodiscard]] inline std::string read_file(std::filesystem::path const& path) {
    std::ifstream file{path, std::ios::binary};
    std::ostringstream bytes;
    bytes << file.rdbuf();
    return std::move(bytes).str();
}

}  // namespace linkledger::test
