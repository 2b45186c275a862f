#include "projections/replay_fill.h"

#include "projections/builds.h"
#include "projections/checkpoint.h"
#include "projections/event_source.h"
#include "projections/memory_fold.h"
#include "projections/rebuild/bulk_build.h"
#include "projections/rebuild/pieces.h"
#include "projections/registry.h"
#include "projections/runner.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <thread>
#include <utility>
#include <vector>

namespace linkledger::projections {
namespace {

using eventlog::failure;
using eventlog::failure_code;
using eventlog::position;
using eventlog::result;

constexpr std::chrono::milliseconds look_every{50};
constexpr std::chrono::seconds failing_max{30};
constexpr position fold_events_at_once = 20'000;

/// The log as it was when it ended at `until`.
class bounded_source final : public event_source {
public:
    bounded_source(eventlog::event_log& log, position until) : log_(log), until_(until) {}

    result<eventlog::log_head> head() override {
        BOOST_OUTCOME_TRY(auto head, log_.head());
        head.last = std::min(head.last, until_);
        return head;
    }
    result<eventlog::read_page> read(eventlog::read_query const& query) override {
        auto bounded = query;
        bounded.until = std::min(query.until, until_);
        return log_.read(bounded);
    }
    bool wait_beyond(position after, std::chrono::milliseconds deadline) override {
        if (after < until_) return true;
        std::this_thread::sleep_for(deadline);
        return false;
    }

private:
    eventlog::event_log& log_;
    position until_;
};

struct live_model {
    build_id build;
    position at = 0;
};

live_model look_up(read_store& store, std::string const& name) {
    live_model found;
    store.read(name, [&](snapshot const& now) { found = {now.build, now.position}; });
    return found;
}

/// A read model on its way.
struct lane {
    lane(std::unique_ptr<projection> model, live_model const& live)
        : of(std::move(model)), name(of->name()), build(live.build), at(live.at), meter(name, live.build) {}

    std::unique_ptr<projection> of;
    std::string name;
    build_id build;
    position at;
    rebuild_meter meter;
    std::unique_ptr<memory_fold> folded{};  ///< The whole log, not written yet.
    std::atomic<bool> needs_order = false;  ///< An event has to be parked.
};

class filling {
public:
    filling(eventlog::log_head const& until, replay_surroundings const& with, replay_options const& how)
        : until_(until), with_(with), how_(how) {
        for (auto& each : create_all()) {
            auto const live = look_up(with_.store, std::string{each->name()});
            if (live.build.version == each->version()) lanes_.emplace_back(std::move(each), live);
        }
    }

    result<void> run() {
        std::jthread const showing{[this](std::stop_token const& stop) { show(stop); }};
        do_pieces(lanes_.size(), static_cast<int>(lanes_.size()), stop_, [this](pieces& mine) {
            for (auto which = mine.next(); which; which = mine.next()) fill(lanes_[*which]);
        });
        write_folded();
        std::vector<std::string> left;
        for (auto const& each : lanes_) {
            if (look_up(with_.store, each.name).at < until_.last) left.push_back(each.name);
        }
        return fill_in_order(std::move(left));
    }

private:
    void show(std::stop_token const& stop) {
        while (!stop.stop_requested()) {
            position done = 0;
            for (auto const& each : lanes_) done += std::max(each.at, each.meter.now().position);
            if (how_.progress) how_.progress(done / static_cast<position>(lanes_.size()), 0);
            std::this_thread::sleep_for(look_every);
        }
    }

    void fill(lane& one) {
        if (one.at >= until_.last) return;
        try {
            if ((one.folded = one.of->create_memory_fold()))
                fold(one);
            else if (is_bulk_built(*one.of, sql::dialect::sqlite))
                build(one);
            else
                value_or_throw(fill_in_order({one.name}));
            spdlog::debug("replay: {} is done with", one.name);
        } catch (must_fold_in_order const& why) {
            spdlog::warn("{} is filled in order, since an event has to be parked: {}", one.name, why.what());
            one.needs_order = true;
        } catch (...) {
            stop_ = true;
            throw;
        }
    }

    static void value_or_throw(result<void> const& outcome) {
        if (!outcome) throw sql::error{sql::error::kind::unavailable, "the log: " + outcome.error().detail};
    }

    void build(lane& one) {
        bulk_options options;
        options.jobs = how_.jobs;
        build_in_bulk(*one.of, one.build, until_, options,
                      {with_.keys, with_.store, how_.readers, one.meter, stop_});
    }

    void fold(lane& one) {
        one.meter.enter(rebuild_phase::building, 0, until_.last);
        auto const reader = how_.readers();
        eventlog::bulk_query query;
        for (auto const type : one.of->event_types()) query.types.emplace_back(type);
        query.fields = one.folded->fields();
        for (; query.after < until_.last && !stop_; query.after = query.until) {
            query.until = std::min(until_.last, query.after + fold_events_at_once);
            result<void> folded = boost::outcome_v2::success();
            auto const read = reader->read(query, [&](eventlog::recorded_event& event) {
                if (folded) folded = one.folded->add(event);
            });
            if (!folded && folded.error().code == failure_code::corrupted)
                throw must_fold_in_order{folded.error().detail};
            value_or_throw(folded);
            value_or_throw(read);
            one.meter.set_done(query.until);
        }
    }

    /// An event that one read model has to park may be one that a memory fold, which opens no sealed parts,
    /// took for good.
    void write_folded() {
        bool const parks = std::any_of(lanes_.begin(), lanes_.end(),
                                       [](lane const& each) { return each.needs_order.load(); });
        for (auto& each : lanes_) {
            if (!each.folded || parks) continue;
            auto const to = with_.store.open_loader(each.name, each.build);
            sql::transaction turn{*to, sql::connection::access::write};
            start_over(*to, *each.of, until_);
            each.folded->write(*to);
            checkpoint reached;
            reached.log_id = until_.log_id;
            reached.epoch = until_.epoch;
            reached.position = until_.last;
            reached.recorded_at = until_.recorded_at;
            set_checkpoint(*to, each.name, each.build.version, reached);
            turn.commit();
            each.folded.reset();
        }
    }

    /// Event by event, in batches.
    result<void> fill_in_order(std::vector<std::string> names) {
        if (names.empty()) return boost::outcome_v2::success();
        runner_options options;
        options.batch_events_max = 10'000;
        options.linger = std::chrono::milliseconds{0};
        options.only = std::move(names);
        bounded_source source{with_.log, until_.last};
        runner running{source, with_.keys, with_.store, create_all(), options};
        running.start();
        auto const outcome = wait_for(running, options.only);
        running.stop();
        return outcome;
    }

    result<void> wait_for(runner& running, std::vector<std::string> const& names) {
        auto failing_since = std::chrono::steady_clock::time_point::max();
        for (;;) {
            position lowest = until_.last;
            std::string problem;
            for (auto const& each : running.status()) {
                if (std::find(names.begin(), names.end(), each.name) == names.end()) continue;
                lowest = std::min(lowest, each.position);
                for (auto& one : lanes_)
                    if (one.name == each.name) one.meter.set_done(each.position);
                if (each.state == projection_state::retrying)
                    problem = each.name + ": " + each.last_error.value_or("it cannot go on");
            }
            if (lowest >= until_.last) return boost::outcome_v2::success();
            auto const time = std::chrono::steady_clock::now();
            failing_since = problem.empty() ? std::chrono::steady_clock::time_point::max()
                                            : std::min(failing_since, time);
            if (time > failing_since && time - failing_since > failing_max)
                return failure{failure_code::unavailable, problem};
            std::this_thread::sleep_for(look_every);
        }
    }

    eventlog::log_head until_;
    replay_surroundings const& with_;
    replay_options const& how_;
    std::deque<lane> lanes_;
    std::atomic<bool> stop_ = false;
};

}  // namespace

result<void> fill_read_models(eventlog::log_head const& until, replay_surroundings const& with,
                              replay_options const& how) {
    return filling{until, with, how}.run();
}

}  // namespace linkledger::projections
