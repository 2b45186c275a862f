#pragma once
// A bounded pool of reading connections that replaces those a restarted server has dropped.

#include "eventlog/sql/postgres_connection.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <vector>

namespace linkledger::eventlog {

/// Safe to call from any thread.
class postgres_pool {
public:
    postgres_pool(sql::postgres_options options, std::size_t connections_max)
        : options_(std::move(options)), connections_max_(connections_max) {}

    /// Runs `work` on a connection; once more on a fresh one when the first turns out to be broken, so `work`
    /// must be harmless to repeat. Throws sql::error; `unavailable` also when no connection came free within
    /// the call's deadline.
    template <typename Work>
    auto run(Work const& work) {
        auto const start = std::chrono::steady_clock::now();
        for (bool again = true;; again = false) {
            lease const held(*this);
            try {
                return work(*held.connection);
            } catch (sql::error const& caught) {
                bool const gone = caught.what_kind() == sql::error::kind::unavailable ||
                                  caught.what_kind() == sql::error::kind::unknown_outcome;
                // One that waited in vain has used up its time.
                again = again && std::chrono::steady_clock::now() - start < options_.call_timeout / 2;
                if (!again || !gone || held.connection->usable() || !held.was_idle) throw;
                drop_idle();
            }
        }
    }

private:
    struct lease {
        explicit lease(postgres_pool& from);
        ~lease();
        lease(lease const&) = delete;
        lease& operator=(lease const&) = delete;

        postgres_pool& pool;
        std::unique_ptr<sql::postgres_connection> connection;
        bool was_idle = false;
    };

    void drop_idle();

    sql::postgres_options options_;
    std::size_t connections_max_;
    std::mutex mutex_;
    std::condition_variable returned_;
    std::vector<std::unique_ptr<sql::postgres_connection>> idle_;
    std::size_t out_ = 0;
};

/// A reading session: every page is planned for its own bounds (partitions pruned), and always by an index,
/// whatever the statistics say of a table that has just grown.
[[nodiscard]] std::unique_ptr<sql::postgres_connection> open_log_connection(
    sql::postgres_options const& options);

}  // namespace linkledger::eventlog
