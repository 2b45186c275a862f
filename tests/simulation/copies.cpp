#include "tests/simulation/copies.h"

#include "eventlog/leaf_hash.h"
#include "eventlog/redis/connection.h"
#include "projections/realtime/redis_guard.h"
#include "tests/simulation/ledger.h"

#include <algorithm>
#include <utility>

namespace linkledger::simulation {

namespace {

namespace mirror = eventlog::mirror;
namespace realtime = projections::realtime;
using namespace std::chrono_literals;
using eventlog::position;

/// Reads the log when asked, rather than ahead.
class sim_pages final : public mirror::page_source {
public:
    sim_pages(eventlog::event_log& log, position after, std::size_t page_events)
        : log_(log), after_(after), page_events_(page_events) {}
    std::optional<eventlog::result<std::vector<eventlog::recorded_event>>> next(
        std::chrono::milliseconds) override {
        eventlog::read_query query;
        query.after = after_;
        query.limit = page_events_;
        auto page = log_.read(query);
        if (!page) return page.error();
        if (page.value().events.empty()) return std::nullopt;
        after_ = page.value().events.back().position;
        return std::move(page.value().events);
    }

private:
    eventlog::event_log& log_;
    position after_;
    std::size_t const page_events_;
};

mirror::relay_options relay_options_of_simulation() {
    mirror::relay_options options;
    options.publishing.acknowledge_every = 4;
    options.publishing.window_events = 16;
    return options;
}

realtime::counter_copier_options copier_options_of_simulation() {
    realtime::counter_copier_options options;
    options.rows_per_step = 3;
    return options;
}

}  // namespace

copies::copies(world_of_them const& in, canary bug)
    : in_(in),
      server_(in.random, bug,
              [this](position at, std::string const& payload) { check_message(at, payload); }),
      counters_(in.random, in.time, bug) {
    for (auto& each : relays_) each = start_relay();
    for (auto& each : copiers_) each = start_copier();
    counters_.meanwhile = [this] {
        in_.step_counting();
        step_copier(1 - copying_);
    };
}

copies::relay_process copies::start_relay() {
    relay_process made{connect(), nullptr};
    auto const page_events = 1 + below(6);
    made.steps = std::make_unique<mirror::relay_steps>(
        in_.reads, *made.nats, relay_options_of_simulation(), static_cast<std::uint32_t>(below(1'000'000)),
        [&log = in_.reads, page_events](position after) {
            return std::make_unique<sim_pages>(log, after, page_events);
        });
    return made;
}

std::unique_ptr<mirror::jetstream> copies::connect() {
    return std::make_unique<sim_jetstream>(server_);
}

std::unique_ptr<realtime::counter_copier> copies::start_copier() {
    return std::make_unique<realtime::counter_copier>(in_.models.store(), counters_,
                                                      copier_options_of_simulation());
}

// ---- The mirror -------------------------------------------------------------------------------------------

void copies::step_mirror() {
    auto const dice = below(40);
    if (dice < 36) {
        for (auto steps = 1 + below(12); steps > 0; --steps) {
            now_ += std::chrono::milliseconds{below(300)};
            if (below(4) != 0)
                static_cast<void>(relays_[below(relays_.size())].steps->step(now_));
            else
                server_.deliver_some();
        }
    } else if (dice < 39) {
        ++troubles_;
        server_.have_trouble();
    } else {
        // In order, or not: then what it had sent may arrive yet.
        ++troubles_;
        auto& relay = relays_[below(relays_.size())];
        if (below(2) == 0) relay.steps->finish();
        relay.steps.reset();
        relay = start_relay();
    }
}

/// Whatever relays do at the same time, a message of the stream is the log's event at that position.
void copies::check_message(position sequence, std::string const& payload) const {
    auto const place = " (message " + std::to_string(sequence) + ")";
    auto const read = mirror::decode(payload);
    must(read.has_value(), "the mirror holds events" + place);
    auto const& [of, event] = read.value();
    must(event.position == sequence, "the mirror's sequence is the position" + place);
    must(of == mirror::history_of(in_.log.head().value()), "the mirror is of this log" + place);
    eventlog::read_query query;
    query.after = sequence - 1;
    query.limit = 1;
    auto const page = in_.log.read(query);
    must(!page.value().events.empty(), "the mirror is never ahead of the log" + place);
    must(eventlog::leaf_hash_of(event) == page.value().events.front().leaf_hash,
         "the mirror holds the log's bytes" + place);
}

void copies::make_mirror_whole() {
    server_.be_well();
    auto const head = in_.log.head().value().last;
    auto const is_whole = [&] {
        auto const& stream = server_.stream();
        return stream && stream->is.first == 1 && stream->is.last == head && stream->is.messages == head &&
               !server_.holds_damage();
    };
    // A message that is damaged is looked at by chance: one of all with each check.
    for (position rounds = 0; !is_whole(); ++rounds) {
        must(rounds < 2'000 + 50 * head, "the mirror comes to be whole");
        for (auto& each : relays_) static_cast<void>(each.steps->step(now_));
        server_.deliver_all();
        now_ += 400ms;
    }
}

// ---- The counters -----------------------------------------------------------------------------------------

void copies::step_counters() {
    now_ += std::chrono::milliseconds{below(300)};
    latest_ = std::max(latest_, in_.time);
    auto const dice = below(20);
    if (dice < 14) {
        step_copier(below(copiers_.size()));
    } else if (dice < 19) {
        ++troubles_;
        counters_.have_trouble();
    } else {
        ++troubles_;
        copiers_[below(copiers_.size())] = start_copier();
    }
    check_counters(false);
}

void copies::step_copier(std::size_t which) {
    auto const before = std::exchange(copying_, which);
    auto& copier = *copiers_[which];
    try {
        static_cast<void>(copier.step(now_, in_.time));
    } catch (redis::error const&) {
        copier.forget();
    }
    copying_ = before;
}

void copies::saw_table() {
    latest_ = std::max(latest_, in_.time);
    in_.models.store().read("realtime", [&](projections::snapshot const& now) {
        auto& table = tables_[now.position];
        table.clear();
        for (auto const& row : realtime::changed_counters(now.rows, 0, 1'000))
            table[realtime::count_key(row.id, row.is_link)] = row.window;
    });
}

/// What the guard says is true: counters are as the table was at its position. One that was dropped is
/// missing until it is copied again, and one whose window has ended may be.
void copies::check_counters(bool all_is_well) {
    auto const& holds = counters_.holds();
    auto const guard = realtime::parse_guard(holds.guard);
    bool const says = guard && guard->what == realtime::redis_guard::state::at;
    must(says || !all_is_well, "the counters come to be whole");
    if (!says) return;
    auto const found = tables_.find(guard->position);
    auto const place = " (position " + std::to_string(guard->position) + ")";
    must(found != tables_.end(), "the guard's position is one of the table's" + place);
    for (auto const& [key, window] : holds.counters) {
        auto const row = found->second.find(key);
        must(row != found->second.end() && row->second == window, "a counter is as in the table" + place);
    }
    for (auto const& [key, window] : found->second) {
        bool const may_miss = window.expires_at() <= latest_ || (!all_is_well && holds.dropped.contains(key));
        must(may_miss || holds.counters.contains(key), "every counter is copied" + place);
    }
    must(!all_is_well || guard->position == tables_.rbegin()->first, "the counters are up to date" + place);
}

void copies::make_counters_whole() {
    counters_.be_well();
    now_ += 11min;  // What was dropped is copied again now and then.
    for (auto& each : copiers_) {
        each->forget();
        for (int steps = 0; each->step(now_, in_.time) || each->is_sweeping(); ++steps)
            must(steps < 1'000, "the counters come to be whole");
    }
    check_counters(true);
}

void copies::make_whole() {
    make_mirror_whole();
    make_counters_whole();
}

std::uint64_t copies::repairs() const {
    std::uint64_t all = 0;
    for (auto const& each : relays_) all += each.steps->stats().repairs;
    return all;
}

std::uint64_t copies::refills() const {
    std::uint64_t all = 0;
    for (auto const& each : copiers_) all += each->stats().refills;
    return all;
}

}  // namespace linkledger::simulation
