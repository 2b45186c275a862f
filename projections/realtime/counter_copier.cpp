#include "projections/realtime/counter_copier.h"

#include <algorithm>
#include <utility>

namespace linkledger::projections::realtime {
namespace {

/// Between the numbers by which the store knows two builds of one version.
constexpr std::int64_t builds_apart = 1'000'000;

}  // namespace

counter_copier::counter_copier(read_store& from, counter_store& to, counter_copier_options const& how)
    : from_(from), to_(to), options_(how) {
    options_.rows_per_step = std::max<std::size_t>(3, options_.rows_per_step);
}

bool counter_copier::step(clock::time_point now, domain::timestamp time) {
    if (!guard_is_known_ || now >= next_check_) {
        known_guard_ = to_.guard();
        guard_is_known_ = true;
        next_check_ = now + options_.check_pause;
    }
    if (follow()) return true;
    if (now >= next_sweep_) {
        sweep_after_ = 0;
        next_sweep_ = now + options_.sweep_pause;
    }
    if (sweep_after_) sweep(time);
    return false;
}

/// False: the store is as the table.
bool counter_copier::follow() {
    auto const guard = parse_guard(known_guard_);
    auto table = read_table(guard ? guard->position : 0);
    if (table.history.log_id.is_nil()) return false;  // The projection has not started.
    if (!guard || guard->history != table.history || guard->what == redis_guard::state::wiping) {
        begin_again(table.history);
        return true;
    }
    bool const is_current = guard->what == redis_guard::state::at && guard->position == table.position;
    // A table that is behind is being built again; what the store has is right and newer.
    if (is_current || guard->position > table.position) return false;

    redis_guard to{table.history, redis_guard::state::at, table.position};
    bool const is_last = table.rows.size() < options_.rows_per_step;
    // Of the last position another row may be still to come.
    if (!is_last) to = {table.history, redis_guard::state::filling, table.rows.back().window.position - 1};
    if (!compare_and_set(to, table.rows)) return true;
    ++steps_;
    if (is_last) position_ = table.position;
    return !is_last;
}

/// False: the guard was another one, which is known now.
bool counter_copier::compare_and_set(redis_guard const& to, std::vector<counter_row> const& rows) {
    auto const wanted = to_text(to);
    known_guard_ = to_.compare_and_set(known_guard_, wanted, rows);
    if (known_guard_ != wanted) return false;
    counters_ += rows.size();
    return true;
}

/// Removes what is there of another history (or is left where the guard is not), then fills from the start.
void counter_copier::begin_again(counter_history const& history) {
    if (!compare_and_set({history, redis_guard::state::wiping, 0}, {})) return;
    ++refills_;
    if (options_.note) options_.note("Redis has no counters of this log; copying them");
    to_.drop_all(known_guard_);
    (void)compare_and_set({history, redis_guard::state::filling, 0}, {});
}

/// Sets some of the open counters again, as the guard says that they are.
void counter_copier::sweep(domain::timestamp time) {
    auto const after = *std::exchange(sweep_after_, std::nullopt);
    auto const guard = parse_guard(known_guard_);
    if (!guard || guard->what != redis_guard::state::at) return;
    auto table = read_table(after);
    if (table.history != guard->history || table.rows.empty()) return;
    if (table.rows.size() >= options_.rows_per_step) sweep_after_ = table.rows.back().window.position - 1;
    std::erase_if(table.rows, [&](counter_row const& row) {
        return row.window.position > guard->position || row.window.expires_at() <= time;
    });
    if (!table.rows.empty()) (void)compare_and_set(*guard, table.rows);
}

counter_copier::table_state counter_copier::read_table(eventlog::position after) {
    table_state found;
    from_.read("realtime", [&](snapshot const& now) {
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

}  // namespace linkledger::projections::realtime
