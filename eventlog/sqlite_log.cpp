#include "eventlog/sqlite_log.h"

#include "eventlog/sql/sqlite_wal_buffer.h"
#include "eventlog/sqlite_checkpointer.h"
#include "eventlog/sqlite_reader.h"
#include "eventlog/sqlite_writer.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace linkledger::eventlog {

namespace {

/// How often a waiting reader looks for what other processes wrote; this one's appends wake it at once.
constexpr std::chrono::milliseconds look_every{20};

failure_code code_of(sql::error::kind kind) {
    switch (kind) {
        case sql::error::kind::unavailable:
            return failure_code::unavailable;
        case sql::error::kind::unknown_outcome:
            return failure_code::unknown_outcome;
        case sql::error::kind::timeout:
            return failure_code::timeout;
        case sql::error::kind::constraint:
        case sql::error::kind::other:
            return failure_code::corrupted;
    }
    return failure_code::corrupted;
}

failure failure_of(sql::error const& thrown) {
    return {code_of(thrown.what_kind()), thrown.what()};
}

class sqlite_log final : public event_log {
public:
    /// Throws sql::error.
    explicit sqlite_log(sqlite_log_options const& options)
        : options_(options),
          readers_(options),
          wal_buffer_(options.vfs),
          checkpointer_(options, [this](std::function<void()> const& work) {
              std::lock_guard const lock{write_mutex_};
              work();
          }) {
        open_writer();
        seen_ = readers_.with([](sqlite_reader& reader) { return reader.last(); });
    }

    [[nodiscard]] std::string_view backend() const override { return "sqlite"; }

    result<log_head> head() override {
        return reading([](sqlite_reader& reader) { return reader.head(); });
    }

    result<batch_outcome> append(append_batch const& batch) override {
        auto const hashes = body_hashes(batch);
        position last = 0;
        auto outcome = writing([&](sqlite_writer& writer) {
            auto written = writer.append(batch, hashes);
            last = writer.last();
            return written;
        });
        if (outcome) tell(last);
        return outcome;
    }

    result<read_page> read(read_query const& query) override {
        return reading([&](sqlite_reader& reader) { return reader.read(query); });
    }

    result<std::vector<digest>> read_leaf_hashes(position after, std::size_t limit) override {
        return reading([&](sqlite_reader& reader) { return reader.read_leaf_hashes(after, limit); });
    }

    result<std::vector<recorded_event>> read_stream(std::string const& stream, version after,
                                                    std::size_t limit) override {
        return reading([&](sqlite_reader& reader) { return reader.read_stream(stream, after, limit); });
    }

    result<version> stream_version(std::string const& stream) override {
        return reading([&](sqlite_reader& reader) { return reader.stream_version(stream); });
    }

    result<std::optional<std::string>> claim_owner(std::string const& scope,
                                                   std::string const& key) override {
        return reading([&](sqlite_reader& reader) { return reader.claim_owner(scope, key); });
    }

    result<std::vector<std::optional<stored_response>>> find_responses(
        std::vector<digest> const& ids) override {
        return reading([&](sqlite_reader& reader) { return reader.find_responses(ids); });
    }

    result<std::int64_t> forget_responses(timestamp before) override {
        std::int64_t all = 0;
        for (;;) {
            // In pieces, between which commits have their turn.
            auto const some = writing([&](sqlite_writer& writer) -> result<std::int64_t> {
                return writer.forget_some_responses(before);
            });
            if (!some) return some.error();
            if (some.value() == 0) return all;
            all += some.value();
        }
    }

    result<std::optional<stored_key>> find_key(std::string const& subject) override {
        return reading([&](sqlite_reader& reader) { return reader.find_key(subject); });
    }

    result<std::optional<stored_key>> find_key(uuid const& key_id) override {
        return reading([&](sqlite_reader& reader) { return reader.find_key(key_id); });
    }

    result<std::vector<stored_key>> list_keys(std::string const& prefix, std::string const& after,
                                              std::size_t limit) override {
        return reading([&](sqlite_reader& reader) { return reader.list_keys(prefix, after, limit); });
    }

    result<stored_key> add_key(stored_key const& key) override {
        return writing([&](sqlite_writer& writer) -> result<stored_key> { return writer.add_key(key); });
    }

    result<void> destroy_key(uuid const& key_id) override {
        auto done = writing([&](sqlite_writer& writer) -> result<void> {
            writer.destroy_key(key_id);
            return boost::outcome_v2::success();
        });
        // The key's bytes are gone from the file, and are to be gone from the WAL as well.
        if (done) checkpointer_.empty_wal();
        return done;
    }

    result<log_head> raise_epoch() override {
        BOOST_OUTCOME_TRY(writing([&](sqlite_writer& writer) -> result<void> {
            writer.raise_epoch();
            return boost::outcome_v2::success();
        }));
        return head();
    }

    bool wait_beyond(position after, std::chrono::milliseconds deadline) override {
        auto const until = std::chrono::steady_clock::now() + deadline;
        for (;;) {
            {
                std::unique_lock lock{seen_mutex_};
                auto const pause = std::min(until, std::chrono::steady_clock::now() + look_every);
                if (grown_.wait_until(lock, pause, [&] { return seen_ > after; })) return true;
            }
            // Others may have written; a failure to look is no news, and the caller's next read reports it.
            if (auto const last = reading([](sqlite_reader& reader) { return reader.last(); }))
                tell(last.value());
            std::lock_guard const lock{seen_mutex_};
            if (seen_ > after) return true;
            if (std::chrono::steady_clock::now() >= until) return false;
        }
    }

private:
    void open_writer() {
        sqlite_log_options buffered = options_;
        buffered.vfs = wal_buffer_.name();
        writer_ = std::make_unique<sqlite_writer>(
            buffered, [this](std::size_t pages) { checkpointer_.wal_has(pages); });
    }

    /// Waiters learn of what this process wrote, or saw that others wrote.
    void tell(position last) {
        {
            std::lock_guard const lock{seen_mutex_};
            if (last <= seen_) return;
            seen_ = last;
        }
        grown_.notify_all();
    }

    template <typename Work>
    auto reading(Work const& work) -> result<std::invoke_result_t<Work, sqlite_reader&>> {
        try {
            return readers_.with(work);
        } catch (sql::error const& thrown) {
            return failure_of(thrown);
        }
    }

    /// One write at a time in this process. A writer that failed for more than a busy lock is made anew.
    template <typename Work>
    auto writing(Work const& work) -> std::invoke_result_t<Work, sqlite_writer&> {
        std::unique_lock const lock{write_mutex_, options_.call_timeout};
        if (!lock) return failure{failure_code::timeout, "another write of this process takes too long"};
        try {
            if (!writer_) open_writer();
            return work(*writer_);
        } catch (sql::error const& thrown) {
            if (thrown.what_kind() != sql::error::kind::timeout) writer_.reset();
            return failure_of(thrown);
        }
    }

    sqlite_log_options const options_;
    sqlite_reader_pool readers_;
    sql::sqlite::wal_buffer wal_buffer_;  ///< Of the writer.
    std::timed_mutex write_mutex_;
    std::unique_ptr<sqlite_writer> writer_;
    sqlite_checkpointer checkpointer_;

    std::mutex seen_mutex_;
    std::condition_variable grown_;
    position seen_ = 0;
};

/// The file must have been migrated; SQLite would make an empty one where there is none.
void require_migrated(sqlite_log_options const& options) {
    sql::sqlite_options connection;
    connection.busy_timeout = options.call_timeout;
    connection.vfs = options.vfs;
    auto const handle = sql::sqlite::open(options.path, connection);
    sql::sqlite::statement look{handle.get(), "SELECT 1 FROM sqlite_master WHERE name = 'log_head'"};
    if (!look.step())
        throw sql::error{sql::error::kind::unavailable,
                         "the log's tables are not there: run `linkledger migrate up` first"};
}

}  // namespace

result<std::unique_ptr<event_log>> open_sqlite_log(sqlite_log_options const& options) {
    try {
        require_migrated(options);
        return std::unique_ptr<event_log>{std::make_unique<sqlite_log>(options)};
    } catch (sql::error const& thrown) {
        return failure_of(thrown);
    }
}

}  // namespace linkledger::eventlog
