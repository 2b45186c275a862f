#include "eventlog/postgres_pool.h"

#include <utility>

namespace linkledger::eventlog {

postgres_pool::lease::lease(postgres_pool& from) : pool(from) {
    {
        std::unique_lock lock(pool.mutex_);
        bool const free = pool.returned_.wait_for(lock, pool.options_.call_timeout,
                                                  [&] { return pool.out_ < pool.connections_max_; });
        if (!free) throw sql::error(sql::error::kind::unavailable, "PostgreSQL: all connections are busy");
        ++pool.out_;
        if (!pool.idle_.empty()) {
            connection = std::move(pool.idle_.back());
            pool.idle_.pop_back();
            was_idle = true;
        }
    }
    if (connection) return;
    try {
        connection = open_log_connection(pool.options_);
    } catch (...) {
        std::lock_guard const lock(pool.mutex_);
        --pool.out_;
        pool.returned_.notify_one();
        throw;
    }
}

postgres_pool::lease::~lease() {
    std::lock_guard const lock(pool.mutex_);
    --pool.out_;
    if (connection->usable()) pool.idle_.push_back(std::move(connection));
    pool.returned_.notify_one();
}

void postgres_pool::drop_idle() {
    std::vector<std::unique_ptr<sql::postgres_connection>> dropped;
    std::lock_guard const lock(mutex_);
    dropped.swap(idle_);
}

std::unique_ptr<sql::postgres_connection> open_log_connection(sql::postgres_options const& options) {
    auto connection = sql::open_postgres_connection(options);
    connection->execute_script(
        "SET plan_cache_mode = force_custom_plan; SET enable_seqscan = off; SET enable_bitmapscan = off;"
        "SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off;"
        "SET max_parallel_workers_per_gather = 0");
    return connection;
}

}  // namespace linkledger::eventlog
