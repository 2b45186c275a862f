// One thread: read what changed, set it under the guard, again.

#include "projections/realtime/redis_writer.h"

#include "eventlog/crypto.h"

#include <algorithm>
#include <utility>

namespace linkledger::projections::realtime {
namespace {

/// Between the numbers by which Redis knows two builds of one version.
constexpr std::int64_t builds_apart = 1'000'000;

/// KEYS: the guard, then count and window of each counter. ARGV: the guard as it must be, the guard as it
/// becomes, then count, window and expiry (Unix time in milliseconds) of each. Answers the guard as it is.
constexpr char const* set_counters = R"(
local guard = redis.call('GET', KEYS[1]) or ''
if guard ~= ARGV[1] then return guard end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local at = 3
for i = 2, #KEYS, 2 do
    if tonumber(ARGV[at + 2]) <= now then
        redis.call('UNLINK', KEYS[i], KEYS[i + 1])
    else
        redis.call('SET', KEYS[i], ARGV[at], 'PXAT', ARGV[at + 2])
        redis.call('SET', KEYS[i + 1], ARGV[at + 1], 'PXAT', ARGV[at + 2])
    end
    at = at + 3
end
if ARGV[2] ~= guard then redis.call('SET', KEYS[1], ARGV[2]) end
return ARGV[2]
)";

/// KEYS: the guard, then keys to remove. ARGV: the guard as it must be.
constexpr char const* remove_keys = R"(
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
for i = 2, #KEYS do
    if KEYS[i] ~= KEYS[1] then redis.call('UNLINK', KEYS[i]) end
end
return 1
)";

constexpr std::chrono::milliseconds sweep_step_pause{2};

/// A window ends at the microsecond; Redis, a millisecond later at most.
std::int64_t expiry_ms(click_window const& window) {
    return (domain::to_unix_us(window.expires_at()) + 999) / 1'000;
}

}  // namespace

redis_writer::redis_writer(read_store& store, redis::client& to, redis_writer_options const& how)
    : store_(store), redis_(to), options_(how) {
    options_.rows_per_step = std::max<std::size_t>(3, options_.rows_per_step);
    thread_ = std::thread{[this] { run(); }};
}

redis_writer::~redis_writer() {
    stop();
}

void redis_writer::wake() {
    {
        std::lock_guard const lock{mutex_};
        woken_ = true;
    }
    changed_.notify_one();
}

void redis_writer::stop() {
    {
        std::lock_guard const lock{mutex_};
        stopping_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable()) thread_.join();
}

redis_writer_stats redis_writer::stats() const {
    return {position_, steps_, counters_, refills_, failures_};
}

void redis_writer::run() {
    auto pause = options_.retry_pause_min;
    for (;;) {
        {
            std::unique_lock lock{mutex_};
            changed_.wait_for(lock, sweep_after_ ? sweep_step_pause : options_.check_pause,
                              [this] { return woken_ || stopping_; });
            if (stopping_) return;
            woken_ = false;
        }
        if (!options_.active()) {
            guard_is_known_ = false;
            next_sweep_ = {};
            continue;
        }
        if (!redis_.up()) continue;
        try {
            follow();
            pause = options_.retry_pause_min;
            continue;
        } catch (redis::error const& failed) {
            if (options_.note && failed.what_kind() == redis::error::kind::refused)
                options_.note(failed.what());
        } catch (sql::error const&) {
            // The table's database is away; its runner says so.
        }
        ++failures_;
        guard_is_known_ = false;
        sleep_for(pause);
        pause = std::min(pause * 2, options_.retry_pause_max);
    }
}

/// Until Redis is as the table.
void redis_writer::follow() {
    redis_.run([&](redis::connection& on) {
        if (!guard_is_known_ || clock::now() >= next_check_) {
            known_guard_ = on.call({"GET", std::string{guard_key}}).text_or_empty();
            guard_is_known_ = true;
            next_check_ = clock::now() + options_.check_pause;
        }
        while (step(on)) {
            std::lock_guard const lock{mutex_};
            if (stopping_) return;
        }
        if (clock::now() >= next_sweep_) {
            sweep_after_ = 0;
            next_sweep_ = clock::now() + options_.sweep_pause;
        }
        if (sweep_after_) sweep(on);
    });
}

/// False: there is nothing more to do.
bool redis_writer::step(redis::connection& on) {
    auto const guard = parse_guard(known_guard_);
    auto table = read_table(guard ? guard->position : 0);
    if (table.history.log_id.is_nil()) return false;  // The projection has not started.
    if (!guard || guard->history != table.history || guard->what == redis_guard::state::wiping) {
        begin_again(on, table.history);
        return true;
    }
    bool const is_current = guard->what == redis_guard::state::at && guard->position == table.position;
    // A table that is behind is being built again; what Redis has is right and newer.
    if (is_current || guard->position > table.position) return false;

    redis_guard to{table.history, redis_guard::state::at, table.position};
    bool const is_last = table.rows.size() < options_.rows_per_step;
    // Of the last position another row may be still to come.
    if (!is_last) to = {table.history, redis_guard::state::filling, table.rows.back().window.position - 1};
    if (!compare_and_set(on, to, table.rows)) return true;
    ++steps_;
    if (is_last) position_ = table.position;
    return !is_last;
}

/// False: the guard was another one, which is known now.
bool redis_writer::compare_and_set(redis::connection& on, redis_guard const& to,
                                   std::vector<counter_row> const& rows) {
    redis::words command{"EVAL", set_counters, std::to_string(1 + 2 * rows.size()), std::string{guard_key}};
    command.reserve(command.size() + 2 + 5 * rows.size());
    for (auto const& row : rows) {
        command.push_back(count_key(row.id, row.is_link));
        command.push_back(window_key(row.id));
    }
    command.push_back(known_guard_);
    command.push_back(to_text(to));
    for (auto const& row : rows) {
        command.push_back(std::to_string(row.window.count));
        command.push_back(std::to_string(domain::to_unix_us(row.window.opened_at)));
        command.push_back(std::to_string(expiry_ms(row.window)));
    }
    auto const wanted = to_text(to);
    known_guard_ = on.call(command).text_or_empty();
    if (known_guard_ != wanted) return false;
    counters_ += rows.size();
    return true;
}

/// Removes what is there of another history (or is left where the guard is not), then fills from the start.
void redis_writer::begin_again(redis::connection& on, counter_history const& history) {
    if (!compare_and_set(on, {history, redis_guard::state::wiping, 0}, {})) return;
    ++refills_;
    if (options_.note) options_.note("Redis has no counters of this log; copying them");
    std::string cursor = "0";
    do {
        auto const found = on.call({"SCAN", cursor, "MATCH", std::string{key_pattern}, "COUNT", "1000"});
        cursor = found.list().at(0).text();
        auto const& keys = found.list().at(1).list();
        if (keys.empty()) continue;
        redis::words command{"EVAL", remove_keys, std::to_string(1 + keys.size()), std::string{guard_key}};
        for (auto const& key : keys) command.push_back(key.text());
        command.push_back(known_guard_);
        on.call(command);
    } while (cursor != "0");
    (void)compare_and_set(on, {history, redis_guard::state::filling, 0}, {});
}

/// Sets some of the open counters again, as the guard says that they are.
void redis_writer::sweep(redis::connection& on) {
    auto const after = *std::exchange(sweep_after_, std::nullopt);
    auto const guard = parse_guard(known_guard_);
    if (!guard || guard->what != redis_guard::state::at) return;
    auto table = read_table(after);
    if (table.history != guard->history || table.rows.empty()) return;
    if (table.rows.size() >= options_.rows_per_step) sweep_after_ = table.rows.back().window.position - 1;
    std::erase_if(table.rows, [&](counter_row const& row) {
        return row.window.position > guard->position || row.window.expires_at() <= eventlog::now();
    });
    if (!table.rows.empty()) (void)compare_and_set(on, *guard, table.rows);
}

redis_writer::table_state redis_writer::read_table(eventlog::position after) {
    table_state found;
    store_.read("realtime", [&](snapshot const& now) {
        auto const checkpoint = now.rows.query_one(
            "SELECT log_id, epoch, position FROM projection_checkpoints WHERE name = 'realtime' AND version "
            "= $1",
            {std::int64_t{now.build.version}}, [&](sql::row const& r) {
                // Counters of another version or build are others: a switch fills Redis anew.
                auto const version = now.build.version + builds_apart * (now.build.build - 1);
                return std::pair{
                    counter_history{r.id_or_null(0).value_or(domain::uuid{}), r.integer(1), version},
                    r.integer(2)};
            });
        if (!checkpoint) return;
        found.history = checkpoint->first;
        found.position = checkpoint->second;
        found.rows = changed_counters(now.rows, after, options_.rows_per_step);
    });
    return found;
}

void redis_writer::sleep_for(std::chrono::milliseconds time) {
    std::unique_lock lock{mutex_};
    changed_.wait_for(lock, time, [this] { return stopping_; });
}

}  // namespace linkledger::projections::realtime
