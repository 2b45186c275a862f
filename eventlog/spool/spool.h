#pragma once
// Clicks that wait for the log on this machine's disk: a small SQLite file, synced before a click is
// answered.

#include "eventlog/event_log.h"
#include "eventlog/sql/connection.h"
#include "eventlog/sql/file_lock.h"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace linkledger::eventlog {

struct spool_options {
    std::string path;
    std::size_t bytes_max = 1u << 30;  ///< Of clicks, as they are counted here; the file is some 30 % larger.
    std::size_t batch_appends_max = 1'000;            ///< In a batch that is sent to the log.
    std::chrono::milliseconds refused_pause{60'000};  ///< Until a batch that the log refused is tried again.
    std::string vfs{};                                ///< A registered SQLite VFS, for tests.
};

struct spool_stats {
    std::size_t clicks = 0;
    std::size_t bytes = 0;
    std::size_t bytes_max = 0;
    std::optional<timestamp> oldest;  ///< When the click in front happened.
};

/// Safe to call from any thread; calls block for a sync of the disk at most, `stats` and `has_room` never.
/// Failures are values: `unavailable` where the file cannot be used (it is opened again with the next call),
/// `queue_full` where it may not grow.
///
/// A click is an append of one event to one stream, expecting no version. What was added is given out by
/// `next` in the order in which it was added, in batches whose number and content are fixed before they are
/// given out the first time, so that a batch may be sent as often as it takes.
class spool {
public:
    /// Opens or makes the file, with mode 0600. Null: another process has it. `unavailable` names what is
    /// wrong.
    static result<std::unique_ptr<spool>> open(spool_options const& options);

    /// Clicks are of one history of the log. Those of another log id are refused (`corrupted`): their file
    /// has to be moved away. Of another epoch: batches keep the numbers that they have, until the log refuses
    /// them.
    result<void> bind_history(log_head const& head);

    /// Adds both or nothing; durable on return. `sent`: clicks of a batch that was sent to the log under this
    /// number, and of which nobody knows yet whether it is there; held back until it is removed or released.
    result<void> add(std::vector<append_request> const& clicks, append_batch const& sent = {});

    /// What a new batch's events need before they are fixed; `is_local`: the event's key was added here. Must
    /// not block.
    using preparation = std::function<result<void>(event_body&, bool is_local)>;
    /// The batch in front, the same one until it is removed. None: there is no click, or the one in front is
    /// held.
    result<std::optional<append_batch>> next(preparation const& prepare);
    /// The log has it. Returns how many clicks went.
    result<std::size_t> remove(batch_number const& number);
    /// Whoever sent it has given up: `next` may give it out.
    void release(batch_number const& number);
    /// The log does not take the number. One that was given in another epoch is given anew: what had it was
    /// lost with the log's end. Others are passed over for a while (false), and what comes after them goes on
    /// under another producer: the log takes a producer's batches in their order.
    result<bool> refuse(batch_number const& number);

    /// A key that the log does not have yet; durable on return.
    result<void> add_key(stored_key const& key);
    /// Those that were added after the first `known`, in the order in which they were.
    [[nodiscard]] std::vector<stored_key> keys_beyond(std::size_t known) const;
    /// The first `known` are the log's; an empty spool needs them no more.
    result<void> forget_keys(std::size_t known);

    [[nodiscard]] std::string const& path() const { return options_.path; }
    [[nodiscard]] spool_stats stats() const;
    /// Whether a batch is on its way whose fate is open.
    [[nodiscard]] bool holds_any() const;
    /// Whether more clicks would be taken, as far as is known. A second after a failure it is worth another
    /// try.
    [[nodiscard]] bool has_room() const;

private:
    struct range {
        batch_number number;
        std::int64_t first = 0, last = 0;
    };

    spool(spool_options options, sql::file_lock lock);

    void connect();
    void use_open_file();
    void load();
    void use_new_producer();
    void empty_wal();
    void insert(append_request const& click);
    [[nodiscard]] std::optional<range> front();
    [[nodiscard]] bool number(range& clicks, preparation const& prepare, std::optional<failure>& refused);
    append_batch read(range const& of);
    void tidy(std::size_t clicks, std::size_t bytes);
    void publish();

    spool_options const options_;
    sql::file_lock const lock_;
    mutable std::mutex mutex_;
    std::unique_ptr<sql::connection> on_;
    std::set<batch_number> held_;
    std::map<batch_number, std::chrono::steady_clock::time_point> passed_over_;  ///< Until when.
    bool has_new_producer_ = false;
    std::vector<stored_key> keys_;
    std::set<uuid> key_ids_;
    std::size_t clicks_ = 0;
    std::size_t bytes_ = 0;
    std::size_t bytes_at_most_ = 0;  ///< Since the file was last small.
    std::int64_t next_id_ = 1;

    mutable std::mutex stats_mutex_;  ///< Never held across a call of the disk.
    spool_stats stats_;
    std::chrono::steady_clock::time_point unusable_until_{};
};

}  // namespace linkledger::eventlog
