#pragma once
// The writing connection of the SQLite log: batches, keys and the upkeep of stored responses.

#include "eventlog/append_rules.h"
#include "eventlog/event_log.h"
#include "eventlog/sql/sqlite_handle.h"
#include "eventlog/sqlite_click_filing.h"
#include "eventlog/sqlite_log.h"
#include "eventlog/sqlite_recent.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace linkledger::eventlog {

/// Where the next event of a stream goes. Number 0: the stream does not exist yet.
struct stream_state {
    std::int64_t number = 0;
    std::int64_t holds = 0;  ///< 1: clicks, 2: other events, 3: both.
    version current = 0;
};

/// Body hashes of a batch's events, in their order: computed before any lock is taken.
[[nodiscard]] std::vector<digest> body_hashes(append_batch const& batch);

/// One thread's at a time. Everything throws sql::error; after any but `timeout` the writer must be made
/// anew. What throws has written nothing, but for `unknown_outcome`.
class sqlite_writer : private append_view {
public:
    /// `wal_pages` is told the length of the WAL after each commit.
    sqlite_writer(sqlite_log_options const& options, std::function<void(std::size_t pages)> wal_pages);

    /// The contract of event_log::append.
    result<batch_outcome> append(append_batch const& batch, std::vector<digest> const& hashes);

    stored_key add_key(stored_key const& key);
    void destroy_key(uuid const& key_id);
    void raise_epoch();
    /// Forgets some of the responses stored before `before`, not so many that others wait long; returns how
    /// many.
    std::int64_t forget_some_responses(timestamp before);

    /// The last position after the latest append.
    [[nodiscard]] position last() const { return last_; }

private:
    struct statements;
    class transaction;

    version stream_version(std::string const& stream) override;
    std::optional<std::string> claim_owner(std::string const& scope, std::string const& key) override;
    std::optional<stored_response> find_response(digest const& id) override;

    void make_head_row();
    log_head read_head();
    result<std::optional<batch_outcome>> find_outcome(append_batch const& batch);
    void write(append_batch const& batch, batch_plan const& plan, std::vector<digest> const& hashes);
    void write_event(planned_event const& event, timestamp recorded_at, digest const& body_hash);
    void write_claims(batch_plan const& plan);
    void write_responses(batch_plan const& plan);
    void write_head(batch_plan const& plan);
    void write_producer(append_batch const& batch, batch_plan const& plan);
    stream_state find_stream(std::string const& stream);
    version newest_but_clicks(std::int64_t number);
    void make_room(std::string const& stream, stream_state& state, std::int64_t kind);
    void forget_what_was_read();
    void learn(log_head const& head, position filed);
    void learn_events(position after, position until);

    std::function<void(std::size_t)> wal_pages_;
    sql::sqlite::handle handle_;
    std::unique_ptr<statements, void (*)(statements*)> sql_;

    // What is known of the log as it was at `last_`; -1: nothing.
    std::int64_t epoch_ = 0;
    position last_ = -1;
    std::int64_t streams_count_ = 0;
    recent<std::string, stream_state> streams_;
    click_filing clicks_;
    std::size_t file_clicks_each_;
};

}  // namespace linkledger::eventlog
