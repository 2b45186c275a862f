#include "eventlog/postgres_listener.h"

#include <algorithm>
#include <charconv>

namespace linkledger::eventlog {
namespace {

using namespace std::chrono_literals;

constexpr auto channel = "linkledger_log";
constexpr auto look_interval = 40ms;
constexpr auto reconnect_interval = 200ms;
constexpr auto extend_interval = 10s;
constexpr auto forget_interval = 1h;

// After a day no process asks again what came of its last batch; after a month without any it is forgotten. A
// forgotten one is refused by its number, so those that sent a single batch stay: sent again, it would look
// like a new producer's first.
constexpr auto forget_outcomes_sql =
    "UPDATE producers SET outcome = '{}' WHERE outcome <> '{}'"
    " AND recorded_us < (extract(epoch FROM now() - interval '1 day') * 1000000)::bigint";
constexpr auto forget_producers_sql =
    "DELETE FROM producers WHERE sequence > 1"
    " AND recorded_us < (extract(epoch FROM now() - interval '30 days') * 1000000)::bigint";

position parse_position(std::string const& payload) {
    position at = 0;
    std::from_chars(payload.data(), payload.data() + payload.size(), at);
    return at;
}

}  // namespace

postgres_listener::postgres_listener(sql::postgres_options options, std::int64_t partition_events)
    : options_(std::move(options)), partition_events_(partition_events) {
    // The destructor waits for the call in progress; and a partition in the making must not hold up readers.
    options_.lock_timeout = std::min<std::chrono::milliseconds>(options_.lock_timeout, 1s);
    options_.call_timeout = std::min<std::chrono::milliseconds>(options_.call_timeout, 2s);
    thread_ = std::thread([this] { run(); });
}

postgres_listener::~postgres_listener() {
    {
        std::lock_guard const lock(mutex_);
        stopping_ = true;
    }
    stop_.notify_all();
    moved_.notify_all();
    thread_.join();
}

void postgres_listener::saw(position head) {
    {
        std::lock_guard const lock(mutex_);
        if (head <= known_.load(std::memory_order_relaxed)) return;
        known_.store(head, std::memory_order_release);
    }
    moved_.notify_all();
}

bool postgres_listener::wait_beyond(position after, std::chrono::milliseconds deadline) {
    if (known_head() > after) return true;
    ++waiting_;
    std::unique_lock lock(mutex_);
    moved_.wait_for(lock, deadline, [&] { return known_head() > after || stopping_; });
    --waiting_;
    return known_head() > after;
}

void postgres_listener::run() {
    while (!stopping_) {
        try {
            auto const connection = sql::open_postgres_connection(options_);
            connection->listen(channel);
            look(*connection);
            follow(*connection);
        } catch (sql::error const&) {
            // The server is away; appends and reads report it to those whom it concerns.
            pause(reconnect_interval);
        }
    }
}

void postgres_listener::follow(sql::postgres_connection& connection) {
    auto next_extension = std::chrono::steady_clock::now(), next_forgetting = next_extension;
    while (!stopping_) {
        if (auto const payload = connection.await_notification(look_interval))
            saw(parse_position(*payload));
        else if (waiting_ > 0)
            look(connection);
        if (auto const now = std::chrono::steady_clock::now(); now >= next_extension) {
            next_extension = now + extend_interval;
            extend(connection);
        }
        if (auto const now = std::chrono::steady_clock::now(); now >= next_forgetting) {
            next_forgetting = now + forget_interval;
            forget_producers(connection);
        }
    }
}

void postgres_listener::look(sql::postgres_connection& connection) {
    position const before = known_head();
    connection.query("SELECT last_position FROM log_head", {}, [&](sql::row const& r) {
        if (r.integer(0) < before) forget_beyond(r.integer(0), before);
        saw(r.integer(0));
    });
}

/// What was known before the log was looked at and is not there was lost, in a failover or a restore.
void postgres_listener::forget_beyond(position head, position known_before) {
    std::lock_guard const lock(mutex_);
    if (known_.load(std::memory_order_relaxed) == known_before) known_.store(head, std::memory_order_release);
}

void postgres_listener::extend(sql::postgres_connection& connection) {
    if (partition_events_ == 0) return;
    try {
        connection.execute("SELECT log_extend($1)", {partition_events_});
    } catch (sql::error const&) {
        // Readers held it up; the default partition takes what comes before the next try.
        if (!connection.usable()) throw;
    }
}

void postgres_listener::forget_producers(sql::postgres_connection& connection) {
    try {
        connection.execute(forget_outcomes_sql, {});
        connection.execute(forget_producers_sql, {});
    } catch (sql::error const&) {
        // It can wait for the next time.
        if (!connection.usable()) throw;
    }
}

void postgres_listener::pause(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    stop_.wait_for(lock, time, [this] { return stopping_.load(); });
}

}  // namespace linkledger::eventlog
