// Workers on this thread, and the canaries of the read side.

#include "tests/simulation/read_side.h"

#include "projections/registry.h"
#include "tests/projections/in_between.h"

#include <algorithm>
#include <optional>
#include <stdexcept>

namespace linkledger::simulation {

namespace {

using eventlog::failure;
using eventlog::failure_code;

/// No std::exception, so that nothing but the simulation catches it: the process is gone.
struct crash {};

/// The events, as a projection's process gets them. There is always something new, it says: waking up for
/// nothing must do no harm.
class sim_source final : public projections::event_source {
public:
    explicit sim_source(std::unique_ptr<projections::event_source> from) : from_(std::move(from)) {}
    eventlog::result<eventlog::log_head> head() override {
        if (away) return failure{failure_code::unavailable, "the log is away"};
        return from_->head();
    }
    eventlog::result<eventlog::read_page> read(eventlog::read_query const& query) override {
        if (away) return failure{failure_code::unavailable, "the log is away"};
        return from_->read(query);
    }
    bool wait_beyond(eventlog::position, std::chrono::milliseconds) override { return true; }

    bool away = false;

private:
    std::unique_ptr<projections::event_source> from_;
};

/// A projection of the product, with trouble on the way.
class troubled final : public test::projection_in_between {
public:
    troubled(std::unique_ptr<projections::projection> real, canary bug)
        : projection_in_between(std::move(real)), bug_(bug) {}

    void apply(projections::event_batch batch, sql::connection& transaction) override {
        if (with == trouble::crash_before) throw crash{};
        if (bug_ == canary::forgotten_event && name() == "links" && batch.size() == 3)
            batch = batch.subspan(0, 2);
        projection_in_between::apply(batch, transaction);
        if (bug_ == canary::batches_that_show && name() == "links")
            transaction.execute(
                "UPDATE links_v" + std::to_string(version()) + " SET utm_term = $1 WHERE utm_term IS NULL",
                {std::string(std::min<std::size_t>(batch.size(), 3), 'x')});
        if (with == trouble::crash_after) {
            if (bug_ == canary::early_effects) transaction.commit();
            throw crash{};
        }
        if (with == trouble::store_fails)
            throw sql::error{sql::error::kind::unavailable, "the read model's connection broke"};
    }

    trouble with = trouble::none;

private:
    canary const bug_;
};

}  // namespace

/// A projection with a worker of its own.
struct read_side::unit {
    unit(std::unique_ptr<projections::projection> real, canary bug) : runs(std::move(real), bug) {}

    troubled runs;
    std::unique_ptr<projections::worker> worker;
};

struct read_side::state {
    state(eventlog::event_log& l, std::unique_ptr<projections::event_source> from, eventlog::keyring& k,
          test::read_models& m, std::size_t page_events, canary bug)
        : log(l), keys(k), models(m), source(std::move(from)) {
        options.linger = std::chrono::milliseconds{0};
        options.batch_events_max = 1;
        projections::feed_options reading;
        reading.page_events_max = page_events;
        reading.linger = std::chrono::milliseconds{0};
        for (auto& each : projections::create_all()) {
            reading.read_for(*each);
            units.push_back(std::make_unique<unit>(std::move(each), bug));
        }
        feed.emplace(source, keys, reading);
        board = std::make_unique<projections::progress_board>(models.store(), projections::projection_names(),
                                                              std::chrono::milliseconds{60'000}, [] {});
    }
    ~state() { board->stop(); }

    /// A worker as a process that has just started makes it.
    void start(std::size_t which) {
        auto& one = *units[which];
        one.worker.reset();
        one.worker = std::make_unique<projections::worker>(
            one.runs, projections::build_id{one.runs.version()}, which,
            projections::worker_surroundings{source, keys, models.store(), *feed, *board, gate, turns,
                                             options});
    }

    eventlog::event_log& log;
    eventlog::keyring& keys;
    test::read_models& models;
    sim_source source;
    projections::runner_options options;
    projections::pause_gate gate;
    std::timed_mutex turns;
    std::optional<projections::event_feed> feed;
    std::unique_ptr<projections::progress_board> board;
    std::vector<std::unique_ptr<unit>> units;
};

read_side::read_side(eventlog::event_log& log, std::unique_ptr<projections::event_source> from,
                     eventlog::keyring& keys, test::read_models& models, std::size_t page_events, canary bug)
    : state_(std::make_unique<state>(log, std::move(from), keys, models, page_events, bug)) {}
read_side::~read_side() {
    for (auto& each : state_->units) each->worker.reset();
}

std::size_t read_side::count() const {
    return state_->units.size();
}

std::string_view read_side::name_of(std::size_t which) const {
    return state_->units[which]->runs.name();
}

std::size_t read_side::index_of(std::string_view projection) const {
    for (std::size_t which = 0; which < count(); ++which)
        if (name_of(which) == projection) return which;
    throw std::logic_error{"there is no projection " + std::string{projection}};
}

void read_side::step(std::size_t which, trouble with) {
    auto& one = *state_->units[which];
    if (!one.worker || with == trouble::taken_over) state_->start(which);
    one.runs.with = with;
    state_->source.away = with == trouble::log_is_away;
    try {
        static_cast<void>(one.worker->turn());
    } catch (crash const&) {
        one.worker.reset();  // Its connection goes with it, and what was not committed.
    }
    state_->feed->leave(which);  // On one thread nobody may wait for another.
    one.runs.with = trouble::none;
    state_->source.away = false;
}

void read_side::catch_up() {
    auto const head = state_->log.head().value().last;
    for (std::size_t which = 0; which < count(); ++which) {
        auto& one = *state_->units[which];
        if (!one.worker) state_->start(which);
        for (int turns = 0; one.worker->known_status().position < head; ++turns) {
            if (turns > 10'000) throw std::logic_error{"a projection does not catch up"};
            step(which, trouble::none);
        }
        if (one.worker->known_status().parked > 0)
            throw std::runtime_error{"events are parked in " + std::string{one.runs.name()}};
    }
}

eventlog::position read_side::position_of(std::string const& projection) {
    eventlog::position seen = 0;
    state_->models.store().read(projection, [&](projections::snapshot const& now) { seen = now.position; });
    return seen;
}

}  // namespace linkledger::simulation
