#include "projections/rebuild/feeding.h"

#include "projections/rebuild/bulk_build.h"
#include "projections/rebuild/pieces.h"
#include "projections/worker.h"

#include <algorithm>
#include <limits>
#include <thread>

namespace linkledger::projections {
namespace {

using eventlog::position;

constexpr position everything = std::numeric_limits<position>::max();
constexpr std::chrono::milliseconds cap_look_pause{5};

/// A log that seems to end where it is told to.
class capped_source final : public event_source {
public:
    explicit capped_source(event_source& behind) : behind_(behind) {}

    eventlog::result<eventlog::log_head> head() override { return behind_.head(); }
    eventlog::result<eventlog::read_page> read(eventlog::read_query const& query) override {
        auto shorter = query;
        shorter.until = std::min<position>(query.until, cap);
        if (shorter.until <= query.after) return eventlog::read_page{{}, query.after};
        return behind_.read(shorter);
    }
    bool wait_beyond(position after, std::chrono::milliseconds deadline) override {
        if (after < cap) return behind_.wait_beyond(after, deadline);
        std::this_thread::sleep_for(std::min(deadline, cap_look_pause));
        return false;
    }

    std::atomic<position> cap = everything;

private:
    event_source& behind_;
};

feed_options feed_options_of(projection const& of) {
    feed_options options;
    options.linger = std::chrono::milliseconds{0};
    options.read_for(of);
    return options;
}

}  // namespace

struct feeding::state {
    state(rebuild_surroundings const& with, projection& of, build_id which)
        : source(with.source),
          feed(source, with.keys, feed_options_of(of)),
          board(with.store, {std::string{of.name()}}, options.poll_pause, {}),
          works(of, which, 0, {source, with.keys, with.store, feed, board, gate, turns, options}),
          tables(with.store.open_writer(std::string{of.name()}, which)),
          name(of.name()),
          version(which.version),
          thread([this] { works.run(); }) {}
    ~state() {
        gate.stop();
        feed.stop();
        thread.join();
        board.stop();
    }

    runner_options options;
    capped_source source;
    event_feed feed;
    progress_board board;
    pause_gate gate;
    std::timed_mutex turns;
    worker works;
    std::unique_ptr<sql::connection> tables;
    std::string name;
    int version;
    std::thread thread;
};

feeding::feeding(rebuild_surroundings const& with, projection& of, build_id which)
    : state_(std::make_unique<state>(with, of, which)) {}
feeding::~feeding() = default;

position feeding::position() const {
    return load_checkpoint(*state_->tables, state_->name, state_->version).position;
}

void feeding::hold_at(eventlog::position at) {
    state_->source.cap = at;
}

void feeding::go_on() {
    state_->source.cap = everything;
}

position feeding::settle(std::atomic<bool> const& stop) const {
    // A page that was read before it was held may still be applied; then it stands further on.
    for (auto last = position();;) {
        if (stop) throw rebuild_interrupted{};
        sleep_unless(stop, cap_look_pause * 10);
        auto const now = position();
        auto const known = state_->works.known_status();
        bool const stands =
            known.state == projection_state::live || known.state == projection_state::catching_up;
        if (now == last && now >= state_->source.cap && stands) return now;
        last = now;
    }
}

std::optional<std::string> feeding::trouble() const {
    return state_->works.known_status().last_error;
}

}  // namespace linkledger::projections
