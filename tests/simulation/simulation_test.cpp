// Seeds without a fault, and a fault planted per rule that must be found. SIMULATION_SEEDS and
// SIMULATION_FROM make the run longer, or repeat one seed: SIMULATION_FROM=4711 SIMULATION_SEEDS=1.

#include "tests/simulation/simulation.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace linkledger::simulation {
namespace {

std::uint64_t setting(char const* name, std::uint64_t otherwise) {
    char const* const text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

constexpr std::uint64_t canary_seeds_max = 1'000;

class Simulation : public testing::Test {
protected:
    // Troubles are what is simulated; nobody wants to read of each.
    static void SetUpTestSuite() { spdlog::set_level(spdlog::level::off); }
    static void TearDownTestSuite() { spdlog::set_level(spdlog::level::info); }
    stage stage_;
};

TEST_F(Simulation, BreaksNoRuleUnderAnySeed) {
    auto const from = setting("SIMULATION_FROM", 1), seeds = setting("SIMULATION_SEEDS", 200);
    report all;
    for (auto seed = from; seed < from + seeds; ++seed) {
        auto const one = simulate(seed, stage_);
        ASSERT_FALSE(one.broken) << "seed " << seed << ", step " << one.steps << ": " << *one.broken
                                 << "\nagain: SIMULATION_FROM=" << seed << " SIMULATION_SEEDS=1";
        all.steps += one.steps;
        all.answered += one.answered;
        all.faults += one.faults;
        all.crashes += one.crashes;
        all.mirrored += one.mirrored;
        all.repairs += one.repairs;
        all.refills += one.refills;
    }
    // What never happened was not tested.
    if (seeds >= 100) {
        EXPECT_GT(all.mirrored, seeds);
        EXPECT_GT(all.repairs, seeds / 10);
        EXPECT_GT(all.refills, seeds / 2);
    }
    fmt::print(
        "{} seeds from {}: {} steps, {} answers, {} faults, {} crashes, {} events from the mirror, "
        "{} mirrors and {} times counters made anew\n",
        seeds, from, all.steps, all.answered, all.faults, all.crashes, all.mirrored, all.repairs,
        all.refills);
}

TEST_F(Simulation, RunsTheSameWayForTheSameSeed) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        auto const first = simulate(seed, stage_), second = simulate(seed, stage_);
        EXPECT_EQ(first.trace, second.trace) << "seed " << seed;
        EXPECT_NE(first.trace, simulate(seed + 1'000, stage_).trace);
    }
}

class Canary : public Simulation, public testing::WithParamInterface<canary> {};

TEST_P(Canary, IsFound) {
    std::uint64_t seed = 1;
    while (seed <= canary_seeds_max) {
        auto const one = simulate(seed, stage_, GetParam());
        if (one.broken) {
            std::printf("found by seed %llu: %s\n", static_cast<unsigned long long>(seed),
                        one.broken->c_str());
            return;
        }
        ++seed;
    }
    FAIL() << "the planted bug was not found in " << canary_seeds_max << " seeds";
}

INSTANTIATE_TEST_SUITE_P(Each, Canary,
                         testing::Values(canary::lost_write, canary::written_twice, canary::cap_off_by_one,
                                         canary::early_effects, canary::forgotten_event,
                                         canary::batches_that_show, canary::mirrored_anyway,
                                         canary::copied_without_guard),
                         [](auto const& of) { return std::string{name_of(of.param)}; });

}  // namespace
}  // namespace linkledger::simulation
