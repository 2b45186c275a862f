#include "projections/rebuild/part_store.h"

#include "eventlog/bytes.h"
#include "eventlog/crypto.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace linkledger::projections {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t hash_bytes = sizeof(eventlog::digest);
constexpr std::int64_t trailer_bytes = hash_bytes + sizeof(std::int64_t);

class open_file {
public:
    open_file(std::string const& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {
        if (fd_ < 0) fail("opened");
    }
    ~open_file() { ::close(fd_); }
    open_file(open_file const&) = delete;
    open_file& operator=(open_file const&) = delete;

    void write(std::string_view bytes) const {
        while (!bytes.empty()) {
            auto const done = ::write(fd_, bytes.data(), bytes.size());
            if (done <= 0) fail("written");
            bytes.remove_prefix(static_cast<std::size_t>(done));
        }
    }
    [[nodiscard]] std::string read(std::int64_t offset, std::int64_t size) const {
        std::string bytes(static_cast<std::size_t>(size), '\0');
        for (std::size_t done = 0; done < bytes.size();) {
            auto const got = ::pread(fd_, bytes.data() + done, bytes.size() - done,
                                     static_cast<off_t>(offset + static_cast<std::int64_t>(done)));
            if (got <= 0) fail("read");
            done += static_cast<std::size_t>(got);
        }
        return bytes;
    }
    [[nodiscard]] std::int64_t size() const { return ::lseek(fd_, 0, SEEK_END); }

    /// What is gone does not come back by waiting.
    [[noreturn]] static void fail(char const* what) {
        auto const kind = errno == ENOENT ? sql::error::kind::other : sql::error::kind::unavailable;
        throw sql::error{kind, std::string{"a part of a rebuild cannot be "} + what + ": " +
                                   std::strerror(errno) +
                                   "; started again, it reads the log for what is missing"};
    }

private:
    int fd_;
};

bool is_whole(std::string const& path) {
    open_file const file{path, O_RDONLY};
    if (file.size() < trailer_bytes) return false;
    auto const content = file.read(0, file.size() - hash_bytes);
    auto const hash = eventlog::sha256(content);
    auto const kept = file.read(file.size() - hash_bytes, hash_bytes);
    return std::memcmp(kept.data(), hash.data(), hash.size()) == 0;
}

std::string folder_prefix(projection const& of, build_id which) {
    return std::string{of.name()} + "-v" + to_string(which) + "-";
}

}  // namespace

part_store::part_store(read_store const& store, projection const& of, build_id which, domain::uuid const& id)
    : folder_(store.scratch_folder() + "/" + folder_prefix(of, which) + domain::to_string(id)),
      own_prefix_(store.dialect() == sql::dialect::sqlite ? folder_prefix(of, which) : std::string{}) {}

void part_store::create() const {
    std::error_code failed;
    if (!own_prefix_.empty()) remove_others();
    fs::create_directories(folder_, failed);
    if (!failed) fs::permissions(folder_, fs::perms::owner_all, failed);
    if (failed)
        throw sql::error{sql::error::kind::unavailable,
                         "the folder " + folder_ + " cannot be made: " + failed.message()};
}

/// Of an earlier start of this build, which was killed before it removed them: they may hold what is
/// personal.
void part_store::remove_others() const {
    fs::path const mine{folder_};
    std::error_code missing;
    for (auto const& each : fs::directory_iterator{mine.parent_path(), missing}) {
        std::error_code ignored;
        if (each.path().filename().string().starts_with(own_prefix_) && each.path() != mine)
            fs::remove_all(each.path(), ignored);
    }
}

void part_store::remove() const {
    if (folder_.empty()) return;
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
    fs::remove(fs::path{folder_}.parent_path(), ignored);  // Where it was the last one.
}

std::set<std::int64_t> part_store::ranges() const {
    std::set<std::int64_t> found;
    std::error_code missing;
    for (auto const& each : fs::directory_iterator{folder_, missing}) {
        std::int64_t range = 0;
        auto const name = each.path().filename().string();
        auto const [end, error] = std::from_chars(name.data(), name.data() + name.size(), range);
        bool const named = error == std::errc{} && end == name.data() + name.size();
        if (named && is_whole(each.path().string()))
            found.insert(range);
        else
            fs::remove(each.path(), missing);
    }
    return found;
}

void part_store::put(std::int64_t range, part_builder::part made) const {
    auto const path = path_of(range);
    auto const size = static_cast<std::int64_t>(made.marks.size());
    auto content = std::move(made.bytes);
    content += made.marks;
    content.append(reinterpret_cast<char const*>(&size), sizeof size);
    auto const hash = eventlog::sha256(content);
    content += eventlog::view_of(hash);
    open_file{path + ".new", O_WRONLY | O_CREAT | O_TRUNC}.write(content);
    if (std::rename((path + ".new").c_str(), path.c_str()) != 0) open_file::fail("named");
}

std::string part_store::marks(std::int64_t range) const {
    open_file const file{path_of(range), O_RDONLY};
    auto const end = file.size() - trailer_bytes;
    std::int64_t size = 0;
    std::memcpy(&size, file.read(end, sizeof size).data(), sizeof size);
    return file.read(end - size, size);
}

std::string part_store::slice(std::int64_t range, part_slice const& which) const {
    return open_file{path_of(range), O_RDONLY}.read(which.offset, which.size);
}

std::string part_store::path_of(std::int64_t range) const {
    return folder_ + "/" + std::to_string(range);
}

void forget_parts(read_store const& store) {
    std::error_code ignored;
    fs::remove_all(store.scratch_folder(), ignored);
}

std::int64_t part_bytes(read_store const& store, projection const& of, build_id which) {
    std::int64_t bytes = 0;
    std::error_code failed;
    for (auto const& folder : fs::directory_iterator{store.scratch_folder(), failed}) {
        if (!folder.path().filename().string().starts_with(folder_prefix(of, which))) continue;
        for (auto const& file : fs::directory_iterator{folder, failed}) {
            auto const size = file.file_size(failed);
            if (!failed) bytes += static_cast<std::int64_t>(size);
        }
    }
    return bytes;
}

}  // namespace linkledger::projections
