#pragma once
// What processes at the edge tell each other of links through Redis, so that a cold one need not ask the log.

#include "commands/link_table.h"
#include "eventlog/redis/client.h"

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace linkledger::commands {

struct edge_cache_options {
    std::chrono::seconds lifetime{300};  ///< Of an entry.
    std::size_t waiting_max = 10'000;    ///< Entries on their way to Redis; more are dropped.
};

struct edge_cache_stats {
    bool ready = false;
    std::uint64_t found = 0, missed = 0, refused = 0, written = 0, dropped = 0;
};

/// The link that an event changes; none: it is about no link, or a click.
[[nodiscard]] std::optional<domain::link_id> changed_link(domain::event const& event);

/// Entries are `link:<short code>`: a link's settings as of a position of the log, or a tombstone. They are
/// written by compare-and-set on that position, so an older state never replaces a newer one.
///
/// An entry is believed only when nothing that this process has seen in the log contradicts it: the last
/// event of its link and of its code, as the tail told, is not beyond the entry's position. To know that of
/// entries that were written before this process began, it reads the changes of links of the last minutes
/// first; until then, and while Redis is away, there are no answers. So what Redis holds is as fresh as the
/// tail, however it came there.
///
/// Safe to call from any thread.
class edge_cache {
public:
    /// What was found: a link, or that its code belonged to one that is deleted.
    struct entry {
        std::optional<link_settings> link;
        bool deleted = false;
        eventlog::position as_of = 0;
    };

    /// Both must outlive it.
    edge_cache(redis::client& redis, eventlog::event_log& log, edge_cache_options const& how = {});
    ~edge_cache();  ///< Stops.
    edge_cache(edge_cache const&) = delete;
    edge_cache& operator=(edge_cache const&) = delete;

    /// Once the tail follows the log, so that no event is between what it tells and what is read here.
    void start(std::function<eventlog::position()> tail_position);

    /// Before the redirect table applies it: every event of the log but clicks.
    void note(eventlog::recorded_event const& stored, domain::event const& event);
    /// Another log id or epoch: what is known is void, and learnt anew.
    void forget();

    /// Blocks, for a call of Redis at most. An entry that is to be kept is asked for with `is_believed`
    /// again, once what the tail tells from then on is known to undo it.
    [[nodiscard]] std::optional<entry> find(std::string_view short_code);
    [[nodiscard]] bool is_believed(std::string_view short_code, entry const& what) const;

    /// What is read from the log after this call reflects at least this position.
    [[nodiscard]] eventlog::position as_of() const { return ready_ ? tail_position_() : 0; }

    /// The settings hold everything up to `as_of`. Links with max_clicks are left out: whether such a link is
    /// full is the log's to say. Does not block.
    void put(link_settings const& settings, eventlog::position as_of);
    void put_deleted(std::string_view short_code, eventlog::position as_of);

    [[nodiscard]] edge_cache_stats stats() const;
    void stop();

private:
    struct written {
        std::string code;
        std::string json;
        eventlog::position as_of = 0;
    };
    static constexpr std::size_t slots = 8'192;
    using slot_table = std::array<std::atomic<eventlog::position>, slots>;

    void run();
    /// False: the log cannot be read now.
    [[nodiscard]] bool learn();
    void flush(std::deque<written> those);
    void enqueue(std::string_view code, std::string json, eventlog::position as_of);
    void raise(std::size_t slot, eventlog::position to);
    [[nodiscard]] std::string history_text() const;

    redis::client& redis_;
    eventlog::event_log& log_;
    edge_cache_options options_;
    std::function<eventlog::position()> tail_position_;
    slot_table changed_at_{};  ///< The last event of the links and codes that share a slot.
    std::atomic<eventlog::position> known_from_{0};
    std::atomic<bool> ready_{false};
    std::atomic<std::uint64_t> found_{0}, missed_{0}, refused_{0}, written_{0}, dropped_{0};

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<written> waiting_;
    std::string history_;  ///< `<log id>/<epoch>`
    std::uint64_t generation_ = 0;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace linkledger::commands
