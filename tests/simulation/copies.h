#pragma once
// What is copied from the log and from a read model: the mirror with its relays, the real-time counters with
// their copiers, two processes each; and what must hold of both.

#include "eventlog/mirror/relay_steps.h"
#include "projections/realtime/counter_copier.h"
#include "tests/projections/read_models.h"
#include "tests/simulation/sim_counters.h"
#include "tests/simulation/sim_mirror.h"

#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>

namespace linkledger::simulation {

class copies {
public:
    struct world_of_them {
        std::mt19937_64& random;
        eventlog::timestamp const& time;
        eventlog::event_log& log;    ///< What is true.
        eventlog::event_log& reads;  ///< The log as relays reach it, which may be away.
        test::read_models& models;
        std::function<void()> step_counting;  ///< A turn of the projection that counts.
    };
    copies(world_of_them const& in, canary bug);

    /// A reader's connection to the mirror.
    [[nodiscard]] std::unique_ptr<eventlog::mirror::jetstream> connect();
    /// A relay's step, messages that arrive, trouble, or a relay's death.
    void step_mirror();
    /// A copier's step, trouble, or a copier's death.
    void step_counters();
    /// After each turn of the projection that counts.
    void saw_table();
    /// Without trouble any more: both come to be whole.
    void make_whole();
    [[nodiscard]] std::size_t troubles() const { return troubles_; }
    /// Of processes that are alive: mirrors made anew, counters filled anew.
    [[nodiscard]] std::uint64_t repairs() const;
    [[nodiscard]] std::uint64_t refills() const;

private:
    struct relay_process {
        std::unique_ptr<eventlog::mirror::jetstream> nats;
        std::unique_ptr<eventlog::mirror::relay_steps> steps;
    };
    using windows = std::map<std::string, projections::realtime::click_window>;

    std::uint64_t below(std::uint64_t bound) { return in_.random() % bound; }
    [[nodiscard]] relay_process start_relay();
    [[nodiscard]] std::unique_ptr<projections::realtime::counter_copier> start_copier();
    void step_copier(std::size_t which);
    void check_message(eventlog::position sequence, std::string const& payload) const;
    void check_counters(bool all_is_well);
    void make_mirror_whole();
    void make_counters_whole();

    world_of_them in_;
    std::chrono::steady_clock::time_point now_{std::chrono::hours{1}};  ///< Never goes back.
    eventlog::timestamp latest_{};  ///< The latest time of day so far, which may have gone back since.
    sim_nats_server server_;
    sim_counter_store counters_;
    std::array<relay_process, 2> relays_;
    std::array<std::unique_ptr<projections::realtime::counter_copier>, 2> copiers_;
    std::map<eventlog::position, windows> tables_;  ///< The projection's table as it was at a position.
    std::size_t copying_ = 0;                       ///< The copier that is at work.
    std::size_t troubles_ = 0;
};

}  // namespace linkledger::simulation
