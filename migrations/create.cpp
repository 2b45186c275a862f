// Makes the files of a new migration.

#include "migrations/migrator.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

namespace linkledger::migrations {

namespace {

namespace fs = std::filesystem;

std::int64_t last_number(fs::path const& folder) {
    std::int64_t last = 0;
    if (!fs::exists(folder)) return last;
    for (auto const& entry : fs::directory_iterator{folder}) {
        std::string const name = entry.path().filename().string();
        std::int64_t number = 0;
        std::from_chars(name.data(), name.data() + name.size(), number);
        last = std::max(last, number);
    }
    return last;
}

void write_new(fs::path const& path, std::string const& text) {
    std::ofstream file{path};
    file << text;
    if (!file.flush()) throw migration_error{"cannot write " + path.string()};
}

bool is_name(std::string const& name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
}

}  // namespace

std::vector<std::string> create(std::string const& folder, std::string const& name) {
    if (!is_name(name)) throw migration_error{"a migration's name is made of a-z, 0-9 and _"};
    fs::path const root{folder};
    std::string digits =
        std::to_string(std::max(last_number(root / "sqlite"), last_number(root / "postgres")) + 1);
    digits.insert(0, digits.size() < 6 ? 6 - digits.size() : 0, '0');

    std::vector<std::string> made;
    for (auto const* const dialect : {"sqlite", "postgres"}) {
        fs::create_directories(root / dialect);
        for (auto const* const direction : {".up.sql", ".down.sql"}) {
            auto const path = root / dialect / (digits + "_" + name + direction);
            write_new(path, std::string_view{dialect} == "sqlite" ? "-- database: log\n" : "");
            made.push_back(path.string());
        }
    }
    return made;
}

}  // namespace linkledger::migrations
