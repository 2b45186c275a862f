#include "eventlog/keyring.h"

#include "eventlog/bytes.h"
#include "eventlog/crypto.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <list>
#include <system_error>

namespace linkledger::eventlog {
namespace {

constexpr std::size_t key_size = 32;
constexpr std::size_t cached_keys_max = 65'536;
/// A key destroyed by another process must be forgotten within a minute; so a cached one is looked up again
/// well before that.
constexpr std::chrono::seconds cached_for{45};
/// From this age on a key that is in use is looked up beforehand, so that nobody waits for it.
constexpr std::chrono::seconds refreshed_from{25};

/// What a sealed part is bound to: the event, and the part's name in the stored form.
std::string place_of(uuid const& event_id, sealed_part part) {
    return std::string{view_of(event_id)}.append(part == sealed_part::personal ? "personal" : "context");
}

/// A wrapped key opens only as the key of its own id and subject.
std::string wrapping_context(uuid const& key_id, std::string_view subject) {
    return std::string{view_of(key_id)}.append(subject);
}

std::shared_ptr<data_key const> make_data_key(uuid const& key_id, std::string bytes) {
    auto const wipe = [](data_key* key) {
        sodium_memzero(key->bytes.data(), key->bytes.size());
        delete key;
    };
    return {new data_key{key_id, std::move(bytes)}, wipe};
}

// ---- The master key's file
// ----------------------------------------------------------------------------------

class file_descriptor {
public:
    explicit file_descriptor(int fd) : fd_(fd) {}
    ~file_descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    file_descriptor(file_descriptor const&) = delete;
    file_descriptor& operator=(file_descriptor const&) = delete;
    [[nodiscard]] int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }

private:
    int fd_;
};

failure unusable_file(std::string const& path, std::string const& why) {
    return {failure_code::corrupted, "the master key file " + path + ' ' + why};
}

/// Sends the file's entry in its folder to the disk: a key that is lost with the power loses what it sealed.
void sync_folder_of(std::string const& path) {
    auto const parent = std::filesystem::path{path}.parent_path();
    file_descriptor const folder{
        ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (folder) ::fsync(folder.get());
}

/// Writes the whole key under another name and links it to its own: a reader never sees half a key, and of
/// several processes one wins.
result<void> create_master_key(std::string const& path) {
    std::string const draft = path + ".new-" + to_hex(random_bytes(8));
    {
        file_descriptor const file{::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
        if (!file) return system_failure("cannot create the master key file", draft);
        std::string const bytes = random_bytes(key_size);
        if (::write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
            ::fsync(file.get()) != 0) {
            failure const why = system_failure("cannot write the master key file", draft);
            ::unlink(draft.c_str());
            return why;
        }
    }
    bool const linked = ::link(draft.c_str(), path.c_str()) == 0 || errno == EEXIST;
    failure const why = linked ? failure{} : system_failure("cannot create the master key file", path);
    ::unlink(draft.c_str());
    if (!linked) return why;
    sync_folder_of(path);
    return boost::outcome_v2::success();
}

result<master_key> read_master_key(std::string const& path, file_descriptor const& file) {
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return system_failure("cannot read the master key file", path);
    if (!S_ISREG(status.st_mode)) return unusable_file(path, "is no regular file");
    if ((status.st_mode & 077) != 0) {
        return unusable_file(path, "may be read by others; make it yours alone with chmod 600");
    }
    if (status.st_size != static_cast<off_t>(key_size)) {
        return unusable_file(
            path, "has " + std::to_string(status.st_size) + " bytes rather than " + std::to_string(key_size));
    }
    std::string bytes(key_size, '\0');
    if (::read(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(key_size)) {
        return system_failure("cannot read the master key file", path);
    }
    return master_key{std::move(bytes)};
}

}  // namespace

result<master_key> load_or_create_master_key(std::string const& path) {
    for (bool created = false;; created = true) {
        file_descriptor const file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
        if (file) return read_master_key(path, file);
        if (errno != ENOENT || created) return system_failure("cannot open the master key file", path);
        BOOST_OUTCOME_TRY(create_master_key(path));
    }
}

std::string click_subject(domain::workspace_id const& workspace, timestamp at) {
    return "clicks-" + domain::to_string(workspace) + '-' + domain::to_utc_day(at);
}

std::string workspace_subject(domain::workspace_id const& workspace) {
    return "workspace-" + domain::to_string(workspace);
}

std::string user_subject(domain::user_id const& user) {
    return "user-" + domain::to_string(user);
}

/// Unwrapped keys, the most recently used in front, and the two keys derived from the master key.
struct keyring::cache {
    using clock = std::chrono::steady_clock;
    using key_pointer = std::shared_ptr<data_key const>;

    struct entry {
        uuid key_id{};
        std::string subject;
        key_pointer key;  ///< Null: destroyed, which is for good.
        clock::time_point loaded_at{};
        bool refresh_was_asked = false;
    };
    using entries = std::list<entry>;

    explicit cache(master_key const& master)
        : wrapping_key(view_of(hmac_sha256(master.bytes, "linkledger-wrap-v1"))),
          pseudonym_key(view_of(hmac_sha256(master.bytes, "linkledger-pseudonym-v1"))) {}

    /// Null: not here, or too old to be trusted.
    key_pointer by_subject(std::string const& subject) {
        std::lock_guard const lock{mutex};
        auto const found = subjects.find(subject);
        if (found == subjects.end() || is_stale(*found->second)) return nullptr;
        used.splice(used.begin(), used, found->second);
        return found->second->key;
    }

    key_at_hand at_hand(std::string const& subject) {
        std::lock_guard const lock{mutex};
        auto const found = subjects.find(subject);
        if (found == subjects.end()) return {};
        entry& known = *found->second;
        used.splice(used.begin(), used, found->second);
        bool const ages = clock::now() - known.loaded_at > refreshed_from;
        return {known.key, !is_stale(known), ages && !std::exchange(known.refresh_was_asked, ages)};
    }

    /// None: not here, or too old. Null: destroyed.
    std::optional<key_pointer> by_id(uuid const& key_id) {
        std::lock_guard const lock{mutex};
        auto const found = ids.find(key_id);
        if (found == ids.end() || is_stale(*found->second)) return std::nullopt;
        used.splice(used.begin(), used, found->second);
        return found->second->key;
    }

    void clear() {
        std::lock_guard const lock{mutex};
        std::vector<uuid> known;
        for (auto const& each : used) {
            if (each.key != nullptr) known.push_back(each.key_id);
        }
        for (auto const& key_id : known) forget(key_id);
    }

    void put(uuid const& key_id, std::string const& subject, key_pointer key) {
        std::lock_guard const lock{mutex};
        auto const known = ids.find(key_id);
        if (known != ids.end() && known->second->key == nullptr) return;
        forget(key_id);
        used.push_front({key_id, subject, std::move(key), clock::now(), false});
        ids.emplace(key_id, used.begin());
        if (!subject.empty()) subjects.insert_or_assign(subject, used.begin());
        if (used.size() > cached_keys_max) forget(used.back().key_id);
    }

    result<key_pointer> unwrap(stored_key const& stored) {
        BOOST_OUTCOME_TRY(auto key, open(stored));
        put(stored.key_id, stored.subject, key);
        return key;
    }

    [[nodiscard]] result<key_pointer> open(stored_key const& stored) const {
        auto bytes =
            open_bytes(wrapping_key, stored.wrapped, wrapping_context(stored.key_id, stored.subject));
        if (!bytes || bytes->size() != key_size) {
            return failure{failure_code::corrupted, "the key " + domain::to_string(stored.key_id) +
                                                        " does not open under this master key"};
        }
        return make_data_key(stored.key_id, std::move(*bytes));
    }

    std::string const wrapping_key;
    std::string const pseudonym_key;

private:
    static bool is_stale(entry const& e) {
        return e.key != nullptr && clock::now() - e.loaded_at > cached_for;
    }

    void forget(uuid const& key_id) {
        auto const found = ids.find(key_id);
        if (found == ids.end()) return;
        auto const subject = subjects.find(found->second->subject);
        if (subject != subjects.end() && subject->second == found->second) subjects.erase(subject);
        used.erase(found->second);
        ids.erase(found);
    }

    std::mutex mutex;
    entries used;
    std::unordered_map<uuid, entries::iterator> ids;
    std::unordered_map<std::string, entries::iterator> subjects;
};

keyring::keyring(event_log& log, master_key master)
    : log_(log), master_(std::move(master)), cache_(std::make_shared<cache>(master_)) {}

std::shared_ptr<data_key const> keyring::cached(std::string const& subject) {
    return cache_->by_subject(subject);
}

result<std::shared_ptr<data_key const>> keyring::find(std::string const& subject) {
    if (auto key = cache_->by_subject(subject)) return key;
    BOOST_OUTCOME_TRY(auto const stored, log_.find_key(subject));
    if (!stored) return std::shared_ptr<data_key const>{};
    return cache_->unwrap(*stored);
}

keyring::key_at_hand keyring::at_hand(std::string const& subject) {
    return cache_->at_hand(subject);
}

/// A key that is gone by now stays in use until it is too old; then it is found to be gone.
void keyring::refresh(std::string const& subject) {
    auto const stored = log_.find_key(subject);
    if (stored && stored.assume_value()) static_cast<void>(cache_->unwrap(*stored.assume_value()));
}

result<std::shared_ptr<data_key const>> keyring::get_or_create(std::string const& subject) {
    BOOST_OUTCOME_TRY(auto const found, find(subject));
    if (found) return found;
    return adopt(make(subject).stored);
}

keyring::new_key keyring::make(std::string const& subject) const {
    new_key fresh{{new_uuid_v7(), subject, ""}, nullptr};
    auto bytes = random_bytes(key_size);
    fresh.stored.wrapped =
        seal_bytes(cache_->wrapping_key, bytes, wrapping_context(fresh.stored.key_id, subject));
    fresh.key = make_data_key(fresh.stored.key_id, std::move(bytes));
    return fresh;
}

result<std::shared_ptr<data_key const>> keyring::unwrap(stored_key const& made) const {
    return cache_->open(made);
}

/// Another process may have been faster; then its key is the subject's.
result<std::shared_ptr<data_key const>> keyring::adopt(stored_key const& made) {
    BOOST_OUTCOME_TRY(auto const kept, log_.add_key(made));
    return cache_->unwrap(kept);
}

result<sealed> keyring::reseal(sealed const& bytes, data_key const& from, data_key const& to,
                               uuid const& event_id, sealed_part part) {
    auto const plain = open_bytes(from.bytes, bytes.bytes, place_of(event_id, part));
    if (!plain) {
        return failure{failure_code::corrupted, "a sealed part of event " + domain::to_string(event_id) +
                                                    " does not open under its key"};
    }
    return seal(to, *plain, event_id, part);
}

sealed keyring::seal(data_key const& key, std::string_view plain, uuid const& event_id, sealed_part part) {
    return {key.key_id, seal_bytes(key.bytes, plain, place_of(event_id, part))};
}

result<std::optional<std::string>> keyring::open(sealed const& bytes, uuid const& event_id,
                                                 sealed_part part) {
    if (bytes.bytes.empty()) return std::optional<std::string>{};
    auto known = cache_->by_id(bytes.key_id);
    if (!known) {
        BOOST_OUTCOME_TRY(auto const stored, log_.find_key(bytes.key_id));
        if (stored) {
            BOOST_OUTCOME_TRY(known.emplace(), cache_->unwrap(*stored));
        } else {
            cache_->put(bytes.key_id, "", nullptr);
            known.emplace();
        }
    }
    if (*known == nullptr) return std::optional<std::string>{};
    auto plain = open_bytes((*known)->bytes, bytes.bytes, place_of(event_id, part));
    if (!plain) {
        return failure{failure_code::corrupted, "a sealed part of event " + domain::to_string(event_id) +
                                                    " does not open under its key"};
    }
    return plain;
}

void keyring::forget(uuid const& key_id) {
    cache_->put(key_id, "", nullptr);
}

void keyring::forget_all() {
    cache_->clear();
}

result<void> keyring::destroy(uuid const& key_id) {
    // From now on, whether it can be destroyed now or not.
    forget(key_id);
    auto const destroyed = log_.destroy_key(key_id);
    if (!destroyed) destruction_failed_ = true;
    return destroyed;
}

std::string keyring::pseudonym(std::string_view purpose, std::string_view text) const {
    std::string message{purpose};
    message += '\0';
    message += text;
    return to_hex(hmac_sha256(cache_->pseudonym_key, message));
}

std::string keyring::visitor_hash(data_key const& click_key, std::string_view ip,
                                  std::string_view user_agent) {
    // The NUL bytes, which neither an address nor a header holds, keep the parts apart.
    std::string message{"linkledger-visitor-v1"};
    message += '\0';
    message += ip;
    message += '\0';
    message += user_agent;
    return to_hex(keyed_hash(click_key.bytes, message)).substr(0, 32);
}

}  // namespace linkledger::eventlog
