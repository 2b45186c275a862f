// Driving coroutines on this thread until they wait for the committer's gate or are over.

#include "tests/simulation/write_side.h"

#include "commands/user_agent.h"

#include <boost/asio/co_spawn.hpp>

#include <stdexcept>
#include <thread>

namespace linkledger::simulation {

namespace {

eventlog::committer_options committer_options_of_simulation() {
    eventlog::committer_options options;
    // Time does not pass here: nobody waits too long.
    options.queue_wait_max = std::chrono::hours{1};
    options.resend_pause = std::chrono::milliseconds{0};
    return options;
}

}  // namespace

commands::bus_options bus_options_of_simulation() {
    // Loading takes a second, and a run makes thousands of buses.
    static std::shared_ptr<commands::user_agent_parser const> const user_agents =
        commands::user_agent_parser::load(commands::bus_options{}.uap_regexes).assume_value();
    commands::bus_options options;
    options.user_agents = user_agents;
    options.public_url = "https://ll.example";
    options.blocking_threads = 1;
    options.follow_tail = false;
    options.command_deadline = std::chrono::hours{1};
    return options;
}

eventlog::master_key master_key_of_simulation() {
    return {std::string(32, 'k')};
}

sim_process::sim_process(eventlog::event_log& reads, eventlog::event_log& store, canary bug)
    : gate_(store, bug),
      keys_(store, master_key_of_simulation()),
      committer_(gate_, committer_options_of_simulation()),
      bus_(std::move(
          commands::create_command_bus(reads, committer_, keys_, bus_options_of_simulation()).value())) {
    committer_.on_commit = [this](std::chrono::microseconds, std::size_t) { gate_.wait_after_answers(); };
}

sim_process::~sim_process() {
    die(false);
    bus_->stop();
}

template <typename Work>
void sim_process::start(Work work, on_outcome done) {
    if (dead_) throw std::logic_error{"a dead process does nothing"};
    ++in_flight_;
    boost::asio::co_spawn(here_, std::move(work),
                          [this, done = std::move(done)](std::exception_ptr bug, outcome made) {
                              --in_flight_;
                              if (bug) std::rethrow_exception(bug);
                              done(std::move(made));
                          });
    come_to_rest();
}

void sim_process::execute(commands::command_request const& request, commands::sender const& from,
                          on_outcome done) {
    auto work = [this, request, from]() -> commands::awaitable<outcome> {
        auto made = co_await bus_->execute(request, from);
        co_return outcome{std::move(made)};
    };
    start(std::move(work), std::move(done));
}

void sim_process::follow(commands::visit const& request, on_outcome done) {
    auto work = [this, request]() -> commands::awaitable<outcome> {
        auto made = co_await bus_->follow(request);
        co_return outcome{std::move(made)};
    };
    start(std::move(work), std::move(done));
}

void sim_process::release(fate how) {
    gate_.release(how);
    come_to_rest();
}

void sim_process::die(bool written) {
    if (std::exchange(dead_, true)) return;
    gate_.die(written);
    // Its threads go on where a dead process's would not, but can write nothing more.
    come_to_rest();
}

/// Each operation waits in the committer's queue or in the batch at its gate; and the committer waits there
/// or for work. A committer that knows its store to be away asks for its head again and again.
bool sim_process::is_at_rest() {
    auto const standing = gate_.standing();
    if (dead_) return in_flight_ == 0;
    auto const stats = committer_.stats();
    if (gate_.has_answered()) {
        if (stats.queued == in_flight_) gate_.go_on();
        return false;
    }
    bool const committer_rests = standing || (stats.queued == 0 && stats.store_available);
    return committer_rests && stats.queued + standing.value_or(0) == in_flight_;
}

void sim_process::come_to_rest() {
    auto const patience = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    while (!is_at_rest()) {
        here_.restart();
        if (here_.poll() == 0) std::this_thread::yield();
        if (std::chrono::steady_clock::now() > patience)
            throw std::logic_error{"a process of the simulation does not come to rest"};
    }
}

}  // namespace linkledger::simulation
