#include "eventlog/merkle/key_file.h"

#include "eventlog/crypto.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace linkledger::eventlog::merkle {
namespace {

failure unusable(std::string const& path, std::string const& why) {
    return {failure_code::corrupted, "the signing key file " + path + ' ' + why};
}

/// A file's name must reach the disk too: a key that is lost with the power signed heads that nobody can
/// check any more.
void sync_folder_of(std::string const& path) {
    auto const parent = std::filesystem::path{path}.parent_path();
    int const folder = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;
    ::fsync(folder);
    ::close(folder);
}

bool write_whole(int file, std::string const& text) {
    bool const written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    return written && ::fsync(file) == 0;
}

/// Under another name first, then linked to its own: a reader never sees half a file, and of several
/// processes one wins.
result<void> create(std::string const& path) {
    std::string const draft = path + ".new-" + to_hex(random_bytes(8));
    int const file = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) return system_failure("cannot create the signing key file", draft);
    bool const written = write_whole(file, to_base64(new_signing_key().seed) + '\n');
    ::close(file);
    bool const linked = written && (::link(draft.c_str(), path.c_str()) == 0 || errno == EEXIST);
    auto const why = linked ? failure{} : system_failure("cannot create the signing key file", path);
    ::unlink(draft.c_str());
    if (!linked) return why;
    sync_folder_of(path);
    return boost::outcome_v2::success();
}

}  // namespace

result<std::vector<signing_key>> load_signing_keys(std::string const& path) {
    struct stat about {};
    if (::stat(path.c_str(), &about) != 0) return system_failure("cannot read the signing key file", path);
    if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return unusable(path, "may be read by others: chmod 600 it");
    std::ifstream file{path};
    std::vector<signing_key> keys;
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line.front() == '#') continue;
        auto const seed = from_base64(line);
        if (!seed || seed->size() != 32) return unusable(path, "has a line that is not 32 bytes in base 64");
        keys.push_back({*seed});
    }
    if (keys.empty()) return unusable(path, "holds no key");
    return keys;
}

result<std::vector<signing_key>> load_or_create_signing_keys(std::string const& path) {
    if (!std::filesystem::exists(path)) {
        BOOST_OUTCOME_TRY(create(path));
    }
    return load_signing_keys(path);
}

}  // namespace linkledger::eventlog::merkle
