#pragma once
// Data keys for personal parts: one per person, one per workspace and UTC day for clicks, one per workspace
// for link passwords. They are wrapped by a master key that lives outside the database; destroying one
// erases.

#include "eventlog/event_log.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace linkledger::eventlog {

/// 32 secret bytes outside the database.
struct master_key {
    std::string bytes;
};

/// Reads the file, or makes it with mode 0600 when there is none (safe when several processes start at once).
/// A file of the wrong size, or one that others may read, is a failure that says so.
result<master_key> load_or_create_master_key(std::string const& path);

/// The subject of a person's key: `person-` and a keyed hash of the lower-cased address, see
/// keyring::pseudonym. The subject of a click key: `clicks-<workspace>-<YYYY-MM-DD>`. Of a workspace's
/// secrets: `workspace-<workspace>`. Of a user without an address: `user-<user>`.
[[nodiscard]] std::string click_subject(domain::workspace_id const& workspace, timestamp at);
[[nodiscard]] std::string workspace_subject(domain::workspace_id const& workspace);
[[nodiscard]] std::string user_subject(domain::user_id const& user);

/// An unwrapped key, held in memory alone.
struct data_key {
    uuid key_id{};
    std::string bytes;  ///< 32 bytes.
};

/// Which of an event's two sealed parts (event_body): each opens in its own place alone.
enum class sealed_part { personal, context };

/// Safe to call from any thread. Keeps up to 65,536 unwrapped keys, the least recently used go first; forgets
/// a key within a minute of its destruction by another process.
class keyring {
public:
    keyring(event_log& log, master_key master);

    /// The subject's key if this process has it at hand; never blocks on the store.
    [[nodiscard]] std::shared_ptr<data_key const> cached(std::string const& subject);
    /// The same, however old: for as long as the store is away. To seal under a key that was destroyed
    /// meanwhile is harmless, nobody can open it.
    struct key_at_hand {
        std::shared_ptr<data_key const> key;
        bool is_trusted = false;     ///< Young enough for `cached`.
        bool wants_refresh = false;  ///< Soon too old: call `refresh`. Said once.
    };
    [[nodiscard]] key_at_hand at_hand(std::string const& subject);
    /// Looks the subject's key up again. Blocks on the store.
    void refresh(std::string const& subject);
    /// The subject's key, made when there is none. Blocks on the store.
    result<std::shared_ptr<data_key const>> get_or_create(std::string const& subject);
    /// The subject's key if there is one; null otherwise. Blocks on the store.
    result<std::shared_ptr<data_key const>> find(std::string const& subject);

    /// A key made without the store, to be `adopt`ed once it is back.
    struct new_key {
        stored_key stored;
        std::shared_ptr<data_key const> key;
    };
    [[nodiscard]] new_key make(std::string const& subject) const;
    /// Opens such a key. `corrupted`: it is not this master key's.
    [[nodiscard]] result<std::shared_ptr<data_key const>> unwrap(stored_key const& made) const;
    /// Gives it to the store. Returns the subject's key from then on: this one, or one that was there before.
    /// Blocks on the store.
    result<std::shared_ptr<data_key const>> adopt(stored_key const& made);
    /// The same text under another key. `corrupted`: it does not open under `from`.
    [[nodiscard]] static result<sealed> reseal(sealed const& bytes, data_key const& from, data_key const& to,
                                               uuid const& event_id, sealed_part part);

    /// Bound to the event by its id, and to its place there: moved elsewhere, the bytes do not open.
    [[nodiscard]] static sealed seal(data_key const& key, std::string_view plain, uuid const& event_id,
                                     sealed_part part);
    /// None: erased (the key was destroyed), or empty. `corrupted`: the key is there and the bytes do not
    /// open.
    result<std::optional<std::string>> open(sealed const& bytes, uuid const& event_id, sealed_part part);

    /// Somebody destroyed the key, or is about to: from now on nothing opens under it in this process.
    void forget(uuid const& key_id);
    /// The log has another history: which keys it has is asked again. What was forgotten stays so.
    void forget_all();
    /// Whether `destroy` failed since this was asked last: somebody has to try again.
    [[nodiscard]] bool take_failed_destruction() { return destruction_failed_.exchange(false); }
    /// Erases: afterwards nothing sealed under the key opens, here or elsewhere.
    result<void> destroy(uuid const& key_id);

    /// A keyed hash under a key derived from the master key, hexadecimal: claim keys and subjects of persons.
    [[nodiscard]] std::string pseudonym(std::string_view purpose, std::string_view text) const;
    /// 32 hexadecimal characters from address and user agent, keyed by the day's click key: the same visitor
    /// has another hash on another day or in another workspace.
    [[nodiscard]] static std::string visitor_hash(data_key const& click_key, std::string_view ip,
                                                  std::string_view user_agent);

private:
    struct cache;
    event_log& log_;
    master_key master_;
    std::shared_ptr<cache> cache_;
    std::atomic<bool> destruction_failed_{false};
};

}  // namespace linkledger::eventlog
