#include "tests/simulation/sim_counters.h"

#include "eventlog/redis/connection.h"
#include "projections/realtime/redis_guard.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace linkledger::simulation {

void sim_counter_store::have_trouble() {
    auto const dice = below(12);
    if (dice < 4) {
        is_away_ = below(2) == 0;
    } else if (dice < 6) {
        snapshot_ = now_;
    } else if (dice < 8) {
        now_ = snapshot_;  // A restart after a crash.
    } else if (dice < 9) {
        now_ = {};
    } else if (!now_.counters.empty()) {
        auto const key = key_at(below(now_.counters.size()));
        now_.dropped.insert(key);
        now_.counters.erase(key);
    }
}

void sim_counter_store::may_fail() {
    if (is_away_ || (!is_well_ && below(24) == 0))
        throw redis::error{redis::error::kind::unavailable, "Redis does not answer"};
}

void sim_counter_store::let_others() {
    if (is_nested_ || is_well_ || below(4) != 0) return;
    is_nested_ = true;
    meanwhile();
    is_nested_ = false;
}

std::string sim_counter_store::key_at(std::size_t index) const {
    std::vector<std::pair<eventlog::position, std::string>> keys;
    for (auto const& [key, window] : now_.counters) keys.emplace_back(window.position, key);
    std::sort(keys.begin(), keys.end());
    return keys[index].second;
}

std::string sim_counter_store::guard() {
    may_fail();
    return now_.guard;
}

std::string sim_counter_store::compare_and_set(std::string const& expected, std::string const& to,
                                               std::span<row const> rows) {
    let_others();
    may_fail();
    if (now_.guard != expected && bug_ != canary::copied_without_guard) return now_.guard;
    for (auto const& each : rows) {
        auto const key = projections::realtime::count_key(each.id, each.is_link);
        now_.dropped.erase(key);
        if (each.window.expires_at() <= time_)
            now_.counters.erase(key);
        else
            now_.counters[key] = each.window;
    }
    now_.guard = to;
    may_fail();
    return to;
}

void sim_counter_store::drop_all(std::string const& expected) {
    may_fail();
    while (!now_.counters.empty() && now_.guard == expected) {
        now_.counters.erase(key_at(0));
        let_others();
        may_fail();
    }
    if (now_.guard == expected) now_.dropped.clear();
}

}  // namespace linkledger::simulation
