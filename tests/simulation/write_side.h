#pragma once
// One process of the write side: the product's committer and command bus, moved on step by step. Whatever
// runs on its threads has come to rest whenever a call here returns: it is over, or stands at the committer's
// gate.

#include "commands/command_bus.h"
#include "eventlog/committer.h"
#include "eventlog/keyring.h"
#include "tests/simulation/committer_gate.h"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <string>
#include <variant>

namespace linkledger::simulation {

using outcome = std::variant<commands::command_outcome, commands::visit_outcome>;
using on_outcome = std::function<void(outcome)>;

class sim_process {
public:
    /// `reads` is what the bus reads from; `store` is what the committer writes to.
    sim_process(eventlog::event_log& reads, eventlog::event_log& store, canary bug);
    /// Dies, if it has not: nothing is written any more.
    ~sim_process();
    sim_process(sim_process const&) = delete;
    sim_process& operator=(sim_process const&) = delete;

    void execute(commands::command_request const& request, commands::sender const& from, on_outcome done);
    void follow(commands::visit const& request, on_outcome done);

    /// Whether a call of the committer waits for its fate.
    [[nodiscard]] bool at_gate() { return gate_.standing().has_value(); }
    void release(fate how);
    /// As by kill -9; who waits for an outcome gets a failure, which says nothing.
    void die(bool written);

private:
    template <typename Work>
    void start(Work work, on_outcome done);
    void come_to_rest();
    [[nodiscard]] bool is_at_rest();

    boost::asio::io_context here_;  ///< Outlives the threads that resume on it.
    committer_gate gate_;
    eventlog::keyring keys_;
    eventlog::committer committer_;
    std::unique_ptr<commands::command_bus> bus_;
    std::size_t in_flight_ = 0;
    bool dead_ = false;
};

[[nodiscard]] commands::bus_options bus_options_of_simulation();
[[nodiscard]] eventlog::master_key master_key_of_simulation();

}  // namespace linkledger::simulation
