#include "tests/chaos/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <random>

namespace linkledger::chaos {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t down_max_ms = 3'000;

bool holds_copies_alone(target whom) {
    return whom == target::nats || whom == target::redis;
}

}  // namespace

std::vector<fault> make_schedule(std::uint64_t seed, milliseconds length, milliseconds every) {
    // Only the engine's own numbers: distributions differ between libraries.
    std::mt19937_64 random{seed};
    std::vector<fault> all;
    std::array<target, targets> turn{};
    std::size_t next = turn.size();
    for (auto at = every; at + every <= length; at += every) {
        if (next == turn.size()) {
            for (std::size_t i = 0; i < turn.size(); ++i) turn[i] = static_cast<target>(i);
            for (std::size_t i = turn.size(); i > 1; --i) std::swap(turn[i - 1], turn[random() % i]);
            next = 0;
        }
        fault one;
        one.at = at;
        one.whom = turn[next++];
        one.which = static_cast<unsigned>(random() % 60);
        one.how = static_cast<action>(random() % (holds_copies_alone(one.whom) ? 3 : 2));
        one.down = milliseconds{
            random() % std::min<std::uint64_t>(down_max_ms, static_cast<std::uint64_t>(every.count()))};
        all.push_back(one);
    }
    return all;
}

std::string name_of(target whom) {
    static constexpr std::array names{"api", "relay", "projector", "NATS", "Redis", "PostgreSQL"};
    return names.at(static_cast<std::size_t>(whom));
}

std::string describe(fault const& what) {
    static constexpr std::array hows{"kill -9", "restart", "kill -9 and loss of all data"};
    auto const seconds = [](milliseconds time) { return static_cast<double>(time.count()) / 1'000; };
    return fmt::format("{:.1f} s: {} of {}, away for {:.1f} s", seconds(what.at),
                       hows.at(static_cast<std::size_t>(what.how)), name_of(what.whom), seconds(what.down));
}

}  // namespace linkledger::chaos
