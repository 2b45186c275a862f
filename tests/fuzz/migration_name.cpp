// Names of new migrations, beside files of any name: four files where they belong, or a clear no.

#include "migrations/migrator.h"
#include "tests/fuzz/targets.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

namespace linkledger::fuzz {
namespace {

namespace fs = std::filesystem;

/// A folder of this process, made once and emptied for each input.
fs::path const& scratch() {
    static auto const folder = [] {
        std::string name =
            fs::exists("/dev/shm") ? "/dev/shm/linkledger-fuzz-XXXXXX" : "/tmp/linkledger-fuzz-XXXXXX";
        must(::mkdtemp(name.data()) != nullptr, "a folder can be made");
        static std::string const kept = name;
        std::atexit([] { fs::remove_all(kept); });
        return fs::path{kept};
    }();
    return folder;
}

}  // namespace

/// The first line is the name of a file that is there already.
void migration_name(std::string_view input) {
    auto const there = std::string{take_line(input)};
    auto const folder = scratch() / "migrations";
    fs::remove_all(folder);
    fs::create_directories(folder / "sqlite");
    if (there.find('/') == std::string::npos && there.find('\0') == std::string::npos && there.size() < 200)
        std::ofstream{folder / "sqlite" / there};
    std::vector<std::string> made;
    try {
        made = migrations::create(folder.string(), std::string{input});
    } catch (migrations::migration_error const& no) {
        must(std::string_view{no.what()}.size() > 10, "a refusal says why");
        return;
    }
    must(std::set<std::string>(made.begin(), made.end()).size() == 4, "two files for two databases");
    for (auto const& path : made) {
        must(fs::exists(path), "the file was made");
        auto const parent = fs::weakly_canonical(path).parent_path().parent_path();
        must(parent == fs::weakly_canonical(folder), "and lies in the folder");
        auto const name = fs::path{path}.filename().string();
        must(name.size() > 7 && name.find('_') == 6, "its number has six digits");
    }
}

}  // namespace linkledger::fuzz
