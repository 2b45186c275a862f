#pragma once
// Reading connections of the SQLite log: one with its statements, and the pool that hands them out.

#include "eventlog/event_log.h"
#include "eventlog/sql/sqlite_handle.h"
#include "eventlog/sqlite_click_lookup.h"
#include "eventlog/sqlite_log.h"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace linkledger::eventlog {

/// One thread's at a time. Everything throws sql::error.
class sqlite_reader {
public:
    explicit sqlite_reader(sqlite_log_options const& options);

    [[nodiscard]] log_head head();
    [[nodiscard]] position last();
    [[nodiscard]] read_page read(read_query const& query);
    [[nodiscard]] std::vector<digest> read_leaf_hashes(position after, std::size_t limit);
    [[nodiscard]] std::vector<recorded_event> read_stream(std::string const& stream, version after,
                                                          std::size_t limit);
    [[nodiscard]] version stream_version(std::string const& stream);
    [[nodiscard]] std::optional<std::string> claim_owner(std::string const& scope, std::string const& key);
    [[nodiscard]] std::vector<std::optional<stored_response>> find_responses(std::vector<digest> const& ids);
    [[nodiscard]] std::optional<stored_key> find_key(std::string const& subject);
    [[nodiscard]] std::optional<stored_key> find_key(uuid const& key_id);
    [[nodiscard]] std::vector<stored_key> list_keys(std::string const& prefix, std::string const& after,
                                                    std::size_t limit);

private:
    class snapshot;
    /// A stream's number and the kinds of events that it has.
    struct known_stream {
        std::int64_t number = 0;
        bool clicks = false;
        bool others = false;
    };

    sql::sqlite::statement& prepare(std::string const& sql);
    read_page matching(read_query const& query);
    std::vector<recorded_event> of_log(read_query const& query, bool without_clicks);
    std::vector<recorded_event> of_stream(read_query const& query, known_stream const& stream);
    std::vector<recorded_event> of_stream_with_clicks(read_query const& query, known_stream const& stream);
    read_page of_workspace_with_clicks(read_query const& query);
    std::vector<position> others_of_workspace(read_query const& query, position until);
    recorded_event at(position where);

    std::optional<known_stream> find_stream(std::string const& stream);
    std::vector<event_place> places(known_stream const& stream, version after, std::size_t limit);
    version newest_but_clicks(std::int64_t stream_number);
    version first_version_after(std::int64_t stream_number, position after);

    sql::sqlite::handle handle_;
    std::optional<click_lookup> clicks_;
    std::unordered_map<std::string, sql::sqlite::statement> statements_;
};

/// Safe to call from any thread.
class sqlite_reader_pool {
public:
    explicit sqlite_reader_pool(sqlite_log_options options) : options_(std::move(options)) {}

    /// Runs `work` with a reader; waits for a free one no longer than call_timeout. Throws sql::error.
    template <typename Work>
    auto with(Work const& work) {
        lease const held{*this};
        try {
            return work(*held.reader);
        } catch (...) {
            held.broken = true;
            throw;
        }
    }

private:
    /// A reader for the time of one call. One that failed is not given to anyone again.
    struct lease {
        explicit lease(sqlite_reader_pool& from) : pool(from), reader(from.take()) {}
        ~lease() { pool.give_back(broken ? nullptr : std::move(reader)); }
        lease(lease const&) = delete;
        lease& operator=(lease const&) = delete;

        sqlite_reader_pool& pool;
        mutable std::unique_ptr<sqlite_reader> reader;
        mutable bool broken = false;
    };

    std::unique_ptr<sqlite_reader> take();
    void give_back(std::unique_ptr<sqlite_reader> reader);

    sqlite_log_options options_;
    std::mutex mutex_;
    std::condition_variable freed_;
    std::vector<std::unique_ptr<sqlite_reader>> free_;
    std::size_t lent_ = 0;
};

}  // namespace linkledger::eventlog
