#pragma once
// Redis as the copy of the real-time counters sees it: calls fail before or after their work, what it holds
// is lost, restored or dropped.

#include "projections/realtime/counter_store.h"
#include "tests/simulation/committer_gate.h"

#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>

namespace linkledger::simulation {

class sim_counter_store final : public projections::realtime::counter_store {
public:
    using row = projections::realtime::counter_row;
    struct contents {
        std::string guard;
        std::map<std::string, projections::realtime::click_window> counters;  ///< By key.
        std::set<std::string> dropped;  ///< Keys of counters that were dropped, and not set again.
    };

    /// Chance and time are the run's.
    sim_counter_store(std::mt19937_64& random, eventlog::timestamp const& time, canary bug)
        : random_(random), time_(time), bug_(bug) {}

    // ---- The simulation's side ----

    /// One of: it is away or back, everything is lost, an old snapshot is restored, counters are dropped.
    void have_trouble();
    void be_well() { is_well_ = true, is_away_ = false; }
    [[nodiscard]] contents const& holds() const { return now_; }
    /// What others do between the reading of the table and the setting of counters.
    std::function<void()> meanwhile = [] {};

    // ---- The copier's side ----

    [[nodiscard]] bool up() const override { return !is_away_; }
    [[nodiscard]] std::string guard() override;
    [[nodiscard]] std::string compare_and_set(std::string const& expected, std::string const& to,
                                              std::span<row const> rows) override;
    void drop_all(std::string const& expected) override;

private:
    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
    void may_fail();
    /// Something else happens in between, now and then.
    void let_others();
    /// The key of one that is held, by the log's order: keys are random.
    [[nodiscard]] std::string key_at(std::size_t index) const;

    std::mt19937_64& random_;
    eventlog::timestamp const& time_;
    canary const bug_;
    contents now_, snapshot_;
    bool is_away_ = false, is_well_ = false, is_nested_ = false;
};

}  // namespace linkledger::simulation
