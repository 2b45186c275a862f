// Makes the files of a new migration.

#include "migrations/migrator.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

namespace linkledger::migrations {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t digits_of_number = 6;
constexpr std::int64_t number_max = 999'999;

/// Of `NNNNNN_name…`, as embed.cmake reads it; 0 for every other file.
std::int64_t number_of(std::string const& name) {
    if (name.size() <= digits_of_number || name[digits_of_number] != '_') return 0;
    std::int64_t number = 0;
    auto const* const last = name.data() + digits_of_number;
    auto const [end, error] = std::from_chars(name.data(), last, number);
    return error == std::errc{} && end == last ? std::max<std::int64_t>(number, 0) : 0;
}

std::int64_t last_number(fs::path const& folder) {
    std::int64_t last = 0;
    if (!fs::exists(folder)) return last;
    for (auto const& entry : fs::directory_iterator{folder}) {
        last = std::max(last, number_of(entry.path().filename().string()));
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
    auto const last = std::max(last_number(root / "sqlite"), last_number(root / "postgres"));
    if (last >= number_max) throw migration_error{"there is no number of six digits after 999999"};
    std::string digits = std::to_string(last + 1);
    digits.insert(0, digits_of_number - digits.size(), '0');

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
