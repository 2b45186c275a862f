#pragma once
// The redirect table: what following a link needs to know of it, packed small, held in memory and fed by the
// tail of the log.

#include "domain/event.h"
#include "domain/ids.h"
#include "domain/time.h"
#include "eventlog/event_log.h"

#include <boost/smart_ptr/intrusive_ptr.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace linkledger::commands {

/// A link's settings as its stream has them at `version`.
struct link_settings {
    domain::link_id link_id;
    domain::workspace_id workspace_id;
    eventlog::version version = 0;  ///< Of the stream `link-<id>`; 0: no such link.
    std::string short_code;
    std::string url;
    bool disabled = false;
    bool deleted = false;
    bool has_password = false;
    std::optional<domain::timestamp> expires_at;
    std::optional<std::int64_t> max_clicks;
    std::optional<std::string> utm_source;
    std::optional<std::string> utm_medium;
    std::optional<std::string> utm_campaign;

    bool operator==(link_settings const&) const = default;
};

/// Brings the settings to `event`'s state; other events than the link's own change nothing. The version is
/// the caller's to set.
void evolve(link_settings& settings, domain::event const& event);

class link_record;
/// A record that stays valid while held, whatever happens to the table meanwhile.
using link_ref = boost::intrusive_ptr<link_record const>;

/// One link, immutable but for two marks, in one allocation with its texts. Views are valid while a link_ref
/// is held.
class link_record {
public:
    [[nodiscard]] static link_ref make(link_settings const& from);

    [[nodiscard]] domain::link_id const& link_id() const { return link_id_; }
    [[nodiscard]] domain::workspace_id const& workspace_id() const { return workspace_id_; }
    [[nodiscard]] eventlog::version version() const { return version_; }
    [[nodiscard]] bool disabled() const { return (flags_ & flag_disabled) != 0; }
    [[nodiscard]] bool deleted() const { return (flags_ & flag_deleted) != 0; }
    [[nodiscard]] bool has_password() const { return (flags_ & flag_password) != 0; }
    [[nodiscard]] std::optional<domain::timestamp> expires_at() const;
    [[nodiscard]] std::optional<std::int64_t> max_clicks() const;
    [[nodiscard]] std::string_view short_code() const;
    [[nodiscard]] std::string_view url() const;
    [[nodiscard]] std::optional<std::string_view> utm_source() const { return utm(0); }
    [[nodiscard]] std::optional<std::string_view> utm_medium() const { return utm(1); }
    [[nodiscard]] std::optional<std::string_view> utm_campaign() const { return utm(2); }
    [[nodiscard]] link_settings settings() const;

    /// Whether max_clicks was seen to be reached. Once true it stays so for this record.
    [[nodiscard]] bool full() const { return full_.load(std::memory_order_relaxed); }
    void mark_full() const { full_.store(true, std::memory_order_relaxed); }

    link_record(link_record const&) = delete;
    link_record& operator=(link_record const&) = delete;

private:
    friend class link_table;
    friend void intrusive_ptr_add_ref(link_record const* record) {
        record->references_.fetch_add(1, std::memory_order_relaxed);
    }
    friend void intrusive_ptr_release(link_record const* record);

    static constexpr std::uint8_t flag_disabled = 1, flag_deleted = 2, flag_password = 4, flag_expires = 8,
                                  flag_capped = 16, flag_utm = 32;

    link_record() = default;
    ~link_record() = default;
    [[nodiscard]] char const* tail() const { return reinterpret_cast<char const*>(this + 1); }
    [[nodiscard]] char* tail() { return reinterpret_cast<char*>(this + 1); }
    [[nodiscard]] std::size_t numbers_size() const;
    [[nodiscard]] std::optional<std::string_view> utm(int which) const;

    domain::link_id link_id_;
    domain::workspace_id workspace_id_;
    mutable std::atomic<std::uint32_t> references_{0};
    std::uint32_t version_ = 0;
    mutable std::uint32_t ring_index_ = 0;  ///< Place in the table's eviction ring.
    std::uint16_t url_size_ = 0;
    std::uint8_t code_size_ = 0;
    std::uint8_t flags_ = 0;
    mutable std::atomic<bool> used_{false};  ///< Since it came or the eviction hand passed.
    mutable std::atomic<bool> full_{false};
    // Behind the struct: [expires_at][max_clicks][3 x utm size + 1 as u16] code url [utm texts]
};

enum class absence {
    no,       ///< Nothing is known.
    unknown,  ///< No link has or had the code.
    deleted,  ///< A link that is deleted had it.
};

struct link_table_stats {
    std::size_t links = 0;
    std::size_t absent_codes = 0;
    std::uint64_t evicted = 0;
};

/// Safe to call from any thread. Lookups take one shard's lock, shared; changes are serialised among
/// themselves.
///
/// The tail calls `apply` with every event in log order; whoever has just committed may call it earlier with
/// its own events, since each event is applied at most once (by stream version). What is not applied in
/// order is dropped and loaded again on the next use.
class link_table {
public:
    /// `links_max`: beyond it the least recently used go (by a clock).
    explicit link_table(std::size_t links_max);
    ~link_table();
    link_table(link_table const&) = delete;
    link_table& operator=(link_table const&) = delete;

    /// By code of the default domain; a deleted link answers until another link takes the code.
    [[nodiscard]] link_ref find(std::string_view short_code) const;
    [[nodiscard]] link_ref find(domain::link_id const& id) const;
    /// What is known of a code that was looked up in the log and not found there, until the tail brings it.
    [[nodiscard]] absence known_absent(std::string_view short_code) const;

    /// Taken before the log is read: what the tail brings meanwhile makes the loaded state stale, and nothing
    /// is kept then. For a link looked up by code, take one for the code (for put_absent) and, once the link
    /// is known, one for the link before its stream is read (for put).
    struct ticket {
        std::uint32_t code_generation = 0;
        std::uint32_t link_generation = 0;
    };
    [[nodiscard]] ticket begin_load(std::string_view short_code) const;
    [[nodiscard]] ticket begin_load(domain::link_id const& id) const;
    /// Keeps a loaded link, unless one of this version or a newer one is there.
    void put(link_ref const& loaded, ticket const& before);
    void put_absent(std::string_view short_code, absence why, ticket const& before);

    /// One event of the log. Cheap for events that are not a link's own. Clicks mark capped links as full;
    /// a tail that leaves them out costs exactness nowhere (the cap is the log's to keep).
    void apply(eventlog::recorded_event const& stored, domain::event const& event);
    /// Every link that is held, in no order. Changes wait for each thousand of them, lookups never.
    void for_each(std::function<void(link_record const&)> const& each) const;
    /// A link as an earlier process knew it. Of no use beside what the tail or a load brought.
    void put_remembered(link_settings const& from);
    /// Forgets a link, so that it is loaded again.
    void drop(domain::link_id const& id);
    /// Forgets everything: another log id or epoch.
    void clear();

    [[nodiscard]] link_table_stats stats() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace linkledger::commands
