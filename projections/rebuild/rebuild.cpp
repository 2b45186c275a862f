// The phases of a rebuild, one after the other.

#include "projections/rebuild/rebuild.h"

#include "projections/checkpoint.h"
#include "projections/rebuild/bulk_build.h"
#include "projections/rebuild/comparison.h"
#include "projections/rebuild/feeding.h"
#include "projections/rebuild/pieces.h"
#include "projections/rebuild/reporter.h"
#include "projections/rebuild/versions.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace linkledger::projections {

namespace {

using eventlog::position;

constexpr std::chrono::milliseconds catch_up_look_pause{20};
/// Nearer to the head than this, what is left is applied within the next moment.
constexpr position near_enough = 500;

class rebuild_run {
public:
    rebuild_run(rebuild_options const& options, rebuild_surroundings const& with,
                std::atomic<bool> const& stop)
        : options_(options), with_(with), stop_(stop), control_(with.store.open_control()) {}

    rebuild_outcome run(std::function<void(rebuild_status const&)> const& told) {
        auto const lock = with_.store.try_lock_rebuild(options_.name, *control_);
        if (!lock)
            throw version_refused{"a rebuild of " + options_.name +
                                  " is running already; linkledger projections shows how far it is"};
        adopt_builds(with_.store, with_.projections);
        choose();
        meter_.emplace(options_.name, target_);
        reporter const report{*meter_, with_.store, *of_, target_, told};
        try {
            return work();
        } catch (rebuild_interrupted const& ended) {
            meter_->note_trouble(ended.what());
            throw;
        } catch (std::exception const& failed) {
            meter_->fail(failed.what());
            throw;
        }
    }

private:
    using clock = std::chrono::steady_clock;

    // ---- What is built ------------------------------------------------------------------------------------

    [[nodiscard]] projection* find(int version) const {
        for (auto const& each : with_.projections) {
            if (each->name() == options_.name && each->version() == version) return each.get();
        }
        return nullptr;
    }

    void choose() {
        int newest = 0;
        for (auto const& each : with_.projections) {
            if (each->name() == options_.name) newest = std::max(newest, each->version());
        }
        if (newest == 0) throw version_refused{"there is no projection " + options_.name};
        auto rows = load_builds(*control_);
        std::erase_if(rows, [&](build_row const& each) { return each.name != options_.name; });
        for (auto const& row : rows) {
            if (row.state == build_state::live) live_ = row.build;
        }
        live_of_ = find(live_.version);
        if (live_of_ == nullptr)
            throw version_refused{
                fmt::format("{} is live in version {}, which this executable does not know; use the "
                            "one that it came with",
                            options_.name, live_.version)};
        int const version = options_.version.value_or(newest);
        of_ = find(version);
        if (of_ == nullptr)
            throw version_refused{
                fmt::format("this executable does not know version {} of {}; its newest is {}", version,
                            options_.name, newest)};
        choose_build(rows, version);
    }

    /// An unfinished one goes on; else one more, in the tables of the migrations while nobody uses those.
    void choose_build(std::vector<build_row> const& rows, int version) {
        int last = 0;
        for (auto const& row : rows) {
            if (row.build.version == version) last = std::max(last, row.build.build);
            // Its tables may be on their way out, and a further build would take its form from them.
            if (row.build.version == version && row.state == build_state::dropping)
                throw version_refused{
                    fmt::format("version {} is being dropped; linkledger drop {} {} ends that",
                                to_string(row.build), options_.name, to_string(row.build))};
            if (row.state == build_state::ready && row.build.version == version) {
                target_ = row.build;
                ready_ = true;
            }
            if (row.state != build_state::building) continue;
            if (row.build.version != version)
                throw version_refused{fmt::format(
                    "a rebuild of version {} is unfinished; let it go on with --version "
                    "{}, or linkledger drop {} {}",
                    to_string(row.build), row.build.version, options_.name, to_string(row.build))};
            target_ = row.build;
            resumed_ = true;
        }
        if (ready_) return refuse_unless_it_may_switch();
        if (resumed_) return;
        target_ = {version, last + 1};
        if (last == 0 && version == live_.version) target_.build = 2;
        with_.store.make_tables(*of_, target_);
        auto const tables = with_.store.open_writer(options_.name, target_);
        add_build(*control_, {options_.name, target_, build_state::building, fingerprint_of(*of_, *tables)});
    }

    /// What is filled and compared has only to be switched in: it was killed before that, or told to wait.
    void refuse_unless_it_may_switch() const {
        auto const rebuilds = load_rebuilds(*control_);
        auto const last = std::find_if(rebuilds.begin(), rebuilds.end(), [&](rebuild_status const& each) {
            return each.name == options_.name && build_id{each.version, each.build} == target_;
        });
        bool const is_known = last != rebuilds.end();
        bool const is_equal = is_known && last->differences.empty();
        if (options_.switches && (is_equal || options_.accepts_differences)) return;
        auto const* const but = is_equal ? ""
                                : is_known
                                    ? ", and differs from the live one"
                                    : ", and whether it differs from the live one is not known any more";
        throw version_refused{
            fmt::format("version {} of {} is ready{}: linkledger switch {} {} makes it live, or drop it",
                        to_string(target_), options_.name, but, options_.name, to_string(target_))};
    }

    // ---- The phases ---------------------------------------------------------------------------------------

    rebuild_outcome switch_ready() {
        meter_->enter(rebuild_phase::switching, 0, 1);
        switch_locked(with_.store, *control_, options_.name, target_);
        auto const head = head_now().last;
        meter_->enter(rebuild_phase::done, head, head);
        return {target_, true, {}};
    }

    rebuild_outcome work() {
        if (ready_) return switch_ready();
        with_.store.make_tables(*of_, target_);
        rebuild_outcome outcome;
        outcome.made = target_;
        auto const started = clock::now();
        build();
        {
            feeding fed{with_, *of_, target_};
            // Live and still empty, it has nothing to be compared by, and is not filled for that alone.
            std::optional<feeding> live;
            if (!is_live_empty()) live.emplace(with_, *live_of_, live_);
            catch_up(fed);
            outcome.events = fed.position();
            outcome.building = clock::now() - started;
            if (live) {
                meter_->enter(rebuild_phase::comparing, 0, 1);
                outcome.differences = compare(fed);
                meter_->set_differences(outcome.differences);
                fed.go_on();
            }
            // Before it counts as ready, so that whoever finds it ready knows what was found.
            meter_->save(*control_);
            set_build_state(*control_, options_.name, target_, build_state::ready);
            bool const accepted = outcome.differences.empty() || options_.accepts_differences;
            if (options_.switches && accepted) {
                meter_->enter(rebuild_phase::switching, 0, 1);
                check_stop();
                switch_locked(with_.store, *control_, options_.name, target_);
                outcome.switched = true;
            }
        }
        auto const head = head_now().last;
        meter_->enter(rebuild_phase::done, head, head);
        return outcome;
    }

    [[nodiscard]] eventlog::log_head head_now() {
        for (;;) {
            check_stop();
            auto const head = with_.source.head();
            if (head) return head.value();
            meter_->note_trouble("the log: " + head.error().detail);
            sleep_unless(stop_, std::chrono::milliseconds{500});
        }
    }

    [[nodiscard]] bool is_live_empty() const {
        auto const tables = with_.store.open_writer(options_.name, live_);
        return load_checkpoint(*tables, options_.name, live_.version).position == 0;
    }

    void build() {
        auto const head = head_now();
        auto const tables = with_.store.open_writer(options_.name, target_);
        auto const at = load_checkpoint(*tables, options_.name, target_.version);
        bool const filled = !at.log_id.is_nil() && at.log_id == head.log_id && at.epoch == head.epoch;
        if (filled || head.last == 0 || !is_bulk_built(*of_, with_.store.dialect())) return;
        meter_->enter(rebuild_phase::building, 0, head.last);
        try {
            bulk_options how;
            how.jobs = options_.jobs;
            how.rate_max = options_.rate_max;
            how.range_events = options_.range_events;
            build_in_bulk(*of_, target_, head, how, {with_.keys, with_.store, with_.readers, *meter_, stop_});
        } catch (must_fold_in_order const& why) {
            spdlog::warn("{} v{} is rebuilt in order, since an event has to be parked: {}", options_.name,
                         to_string(target_), why.what());
        }
    }

    /// Applies, in order, what is missing: all of it where a projection is not built in bulk.
    void catch_up(feeding& fed) {
        auto head = head_now().last;
        bool const from_the_start = fed.position() == 0 && head > near_enough;
        meter_->enter(from_the_start ? rebuild_phase::building : rebuild_phase::catching_up, fed.position(),
                      head);
        for (pace speed{options_.rate_max};;) {
            check_stop();
            auto const before = fed.position();
            head = head_now().last;
            if (head - before <= near_enough) break;
            if (auto const trouble = fed.trouble()) meter_->note_trouble(*trouble);
            sleep_unless(stop_, catch_up_look_pause);
            meter_->set_done(fed.position());
            if (options_.rate_max > 0) fed.hold_at(fed.position());
            speed.spend(fed.position() - before, stop_);
            if (options_.rate_max > 0) fed.go_on();
        }
    }

    /// Both at one position: the new one stands still until the live one is there or beyond, then comes up to
    /// it.
    std::vector<std::string> compare(feeding& fed) {
        fed.hold_at(fed.position());
        auto const live = with_.store.open_loader(options_.name, live_);
        auto const fresh = with_.store.open_loader(options_.name, target_);
        for (;;) {
            check_stop();
            auto const held = fed.settle(stop_);
            sql::transaction pinned{*live, sql::connection::access::read};
            auto const at = load_checkpoint(*live, options_.name, live_.version).position;
            if (at < held) {
                meter_->note_trouble(fmt::format("the live version is at {}, the new one at {}", at, held));
                sleep_unless(stop_, catch_up_look_pause);
                continue;
            }
            fed.hold_at(at);
            if (fed.settle(stop_) != at) continue;
            sql::transaction seen{*fresh, sql::connection::access::read};
            return compare_builds(*live_of_, *live, *of_, *fresh);
        }
    }

    void check_stop() const {
        if (stop_) throw rebuild_interrupted{};
    }

    rebuild_options const& options_;
    rebuild_surroundings const& with_;
    std::atomic<bool> const& stop_;
    std::unique_ptr<sql::connection> control_;
    projection* of_ = nullptr;
    projection* live_of_ = nullptr;
    build_id target_;
    build_id live_;
    bool resumed_ = false;
    bool ready_ = false;
    std::optional<rebuild_meter> meter_;
};

}  // namespace

rebuild_outcome rebuild(rebuild_options const& options, rebuild_surroundings const& with,
                        std::function<void(rebuild_status const&)> const& told,
                        std::atomic<bool> const& stop) {
    rebuild_run run{options, with, stop};
    return run.run(told);
}

}  // namespace linkledger::projections
