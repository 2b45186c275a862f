// What may happen, how likely, and what must hold meanwhile.

#include "tests/simulation/simulation.h"

#include "eventlog/memory_log.h"
#include "projections/mirror_source.h"
#include "projections/registry.h"
#include "tests/commands/bus_fixture.h"
#include "tests/simulation/copies.h"
#include "tests/simulation/ledger.h"
#include "tests/simulation/read_side.h"
#include "tests/simulation/write_side.h"
#include "tests/support/faulty_log.h"

#include <algorithm>
#include <random>

namespace linkledger::simulation {

namespace {

using commands::testing::object;

constexpr std::int64_t cap = 4;
constexpr auto firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

/// Outcomes that say nothing of what became of the request.
bool says_nothing(outcome const& made) {
    auto const failed = [](auto const& variant) {
        return std::holds_alternative<eventlog::failure>(variant);
    };
    return std::visit(failed, made);
}

class world {
public:
    world(std::uint64_t seed, stage& on, canary bug)
        : random_(seed), bug_(bug), stage_(on), log_(eventlog::create_memory_log([this] { return now_; })) {
        set_up();
        ledger_.look();
        for (auto& each : processes_) each = std::make_unique<sim_process>(reads_, *log_, bug_);
        start_reading_and_copying();
    }

    report run() {
        report made;
        try {
            auto const steps = 72 + below(72);
            for (; made.steps < steps; ++made.steps) step();
            heal();
        } catch (broken_rule const& rule) {
            made.broken = rule.what();
        } catch (std::exception const& bug) {
            made.broken = std::string{"an exception: "} + bug.what();
        }
        for (auto const& one : operations_) made.answered += one.is_over ? 1 : 0;
        note(random_());  // So much chance was taken.
        made.trace = trace_;
        made.faults = faults_ + copies_->troubles();
        made.mirrored = mirror_->stats().mirror_events;
        made.repairs = copies_->repairs();
        made.refills = copies_->refills();
        made.crashes = crashes_;
        return made;
    }

private:
    // ---- Chance ----

    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
    void note(std::uint64_t what) { trace_ = (trace_ ^ (what + 1)) * 1'099'511'628'211u; }

    // ---- The start: an admin, a workspace, two links, one of them capped ----

    void set_up() {
        commands::testing::process first{*log_, bus_options_of_simulation()};
        admin_ = first.first_admin();
        workspace_ = commands::testing::field(
            first.accept("CreateWorkspace", object({{"name", "Acme"}, {"slug", "acme"}}), admin_),
            "workspace_id");
        for (auto const* code : {"plain", "capped"}) {
            boost::json::object data{
                {"workspace_id", workspace_}, {"url", "https://example.com/"}, {"short_code", code}};
            if (code == std::string_view{"capped"}) data["max_clicks"] = cap;
            auto const id =
                commands::testing::field(first.accept("CreateLink", object(data), admin_), "link_id");
            links_.emplace_back(id, code);
            if (data.contains("max_clicks")) caps_[id] = cap;
        }
    }

    /// Projections read the mirror as long as it is as it should be.
    void start_reading_and_copying() {
        copies_ = std::make_unique<copies>(
            copies::world_of_them{random_, now_, *log_, reads_, stage_.live,
                                  [this] { step_projection(live_->index_of("realtime"), trouble::none); }},
            bug_);
        projections::mirror_source_options reading;
        reading.behind_patience = reading.page_patience = reading.connect_patience = reading.retry_pause_min =
            reading.retry_pause_max = std::chrono::milliseconds{0};
        auto source = projections::create_mirror_source(*log_, copies_->connect(), reading);
        mirror_ = source.get();
        live_ = std::make_unique<read_side>(*log_, std::move(source), keys_, stage_.live, 1 + below(5), bug_);
        // Read models of the run before find another log.
        for (std::size_t which = 0; which < live_->count(); ++which) live_->step(which, trouble::none);
        copies_->saw_table();
    }

    // ---- Steps ----

    void step() {
        auto const dice = below(120);
        note(dice);
        if (dice < 25)
            start_operation();
        else if (dice < 54)
            let_a_commit_go_on();
        else if (dice < 58)
            crash();
        else if (dice < 62)
            reads_.from_now_on(below(3) == 0 ? test::fault::away : test::fault::none);
        else if (dice < 66)
            jump_in_time();
        else if (dice < 86)
            step_some_projection();
        else if (dice < 108)
            copies_->step_mirror();
        else
            copies_->step_counters();
        check_log();
    }

    void start_operation() {
        auto& process = processes_[below(processes_.size())];
        auto const unsettled = find_unsettled();
        if (unsettled && below(2) == 0) return send(*unsettled, *process);
        operation one;
        one.what = static_cast<operation::kind>(below(4));
        // Visits and clicks meet at the cap more often than not.
        auto const& [id, code] = links_[one.what >= operation::kind::click ? below(3) != 0 : 0];
        one.link = one.what == operation::kind::visit ? code : id;
        one.tag = "op-" + std::to_string(operations_.size()) + ".example";
        operations_.push_back(one);
        send(operations_.size() - 1, *process);
    }

    /// One that may be sent again: its key makes that harmless. A visit has none.
    std::optional<std::size_t> find_unsettled() {
        if (operations_.empty()) return std::nullopt;
        auto const from = below(operations_.size());
        for (std::size_t i = 0; i < operations_.size(); ++i) {
            auto const at = (from + i) % operations_.size();
            auto const& one = operations_[at];
            if (!one.is_over && !one.is_in_flight && one.what != operation::kind::visit) return at;
        }
        return std::nullopt;
    }

    void send(std::size_t which, sim_process& to) {
        auto& one = operations_[which];
        one.is_sent = one.is_in_flight = true;
        note(which);
        auto done = [this, which](outcome made) { settle(which, made); };
        if (one.what == operation::kind::visit) {
            commands::visit visit;
            visit.short_code = one.link;
            visit.user_agent = firefox;
            visit.referer = "https://" + one.tag + "/";
            return to.follow(visit, done);
        }
        to.execute(request_of(one), admin_, done);
    }

    commands::command_request request_of(operation const& one) const {
        commands::command_request request;
        request.idempotency_key = one.tag;
        if (one.what == operation::kind::create) {
            request.name = "CreateLink";
            request.data =
                object({{"workspace_id", workspace_}, {"url", "https://example.com/"}, {"title", one.tag}});
        } else if (one.what == operation::kind::retitle) {
            request.name = "UpdateLink";
            request.data = object({{"link_id", one.link}, {"title", one.tag}});
        } else {
            request.name = "ClickLink";
            request.data = object(
                {{"link_id", one.link}, {"user_agent", firefox}, {"referer", "https://" + one.tag + "/"}});
        }
        return request;
    }

    void settle(std::size_t which, outcome const& made) {
        auto& one = operations_[which];
        one.is_in_flight = false;
        note(made.index());
        if (says_nothing(made)) return note(7);
        one.is_over = true;
        bool is_gone = false;
        if (auto const* command = std::get_if<commands::command_outcome>(&made)) {
            if (auto const* answer = std::get_if<commands::command_answer>(command)) {
                one.was_accepted = true;
                one.position = answer->position;
                one.stream = answer->stream;
                one.version = answer->version;
                return;
            }
            is_gone = std::get<domain::refusal>(*command).code == domain::refusal_code::link_gone;
        } else {
            auto const& visit = std::get<commands::visit_outcome>(made);
            if (auto const* way = std::get_if<commands::redirect_to>(&visit)) {
                one.was_accepted = true;
                one.position = way->position;
                return;
            }
            auto const* refused = std::get_if<domain::refusal>(&visit);
            is_gone = refused != nullptr && refused->code == domain::refusal_code::link_gone;
        }
        auto const& [id, code] = links_.back();
        must(is_gone && (one.link == id || one.link == code), one.tag + " was refused for no reason");
        ledger_.look();
        must(ledger_.clicks_of(id) == cap, "a cap refuses no one too early");
    }

    void let_a_commit_go_on() {
        auto const from = below(processes_.size());
        for (std::size_t i = 0; i < processes_.size(); ++i) {
            auto& process = *processes_[(from + i) % processes_.size()];
            if (!process.at_gate()) continue;
            auto const dice = below(10);
            auto const how = dice < 6   ? fate::done
                             : dice < 8 ? fate::acknowledgement_lost
                             : dice < 9 ? fate::request_lost
                                        : fate::away;
            if (how != fate::done) ++faults_;
            note(static_cast<std::uint64_t>(how));
            return process.release(how);
        }
    }

    /// The process is gone with what it was about to say; another takes its place.
    void crash() {
        auto& process = processes_[below(processes_.size())];
        process->die(below(2) == 0);
        process = std::make_unique<sim_process>(reads_, *log_, bug_);
        ++crashes_;
    }

    void jump_in_time() {
        auto const dice = below(10);
        std::chrono::microseconds const by{dice < 6 ? below(1'000'000) : below(7'200'000'000)};
        if (dice == 9)
            now_ -= by;
        else
            now_ += dice == 8 ? by + std::chrono::hours{24} : by;  // Windows of 24 hours end, too.
    }

    void step_some_projection() {
        auto const which = below(live_->count());
        auto const dice = below(12);
        auto const with = dice < 6 ? trouble::none : static_cast<trouble>(dice - 6);
        if (with != trouble::none) ++faults_;
        step_projection(which, with);
    }

    void step_projection(std::size_t which, trouble with) {
        live_->step(which, with);
        if (live_->name_of(which) == "links") check_links(stage_.live, live_->position_of("links"));
        if (live_->name_of(which) == "realtime") copies_->saw_table();
    }

    // ---- What must hold ----

    void check_log() {
        ledger_.look();
        ledger_.check_answers(operations_, caps_);
        note(static_cast<std::uint64_t>(ledger_.head()));
    }

    void check_links(test::read_models& models, eventlog::position at) {
        folded_links rows;
        models.store().read("links", [&](projections::snapshot const& now) {
            auto const table = "links_v" + std::to_string(now.build.version);
            now.rows.query("SELECT id, title, total_clicks FROM " + table, {}, [&](sql::row const& row) {
                rows[domain::to_string(row.id(0))] = {row.text_or_null(1).value_or(""), row.integer(2)};
            });
        });
        must(rows == ledger_.fold(at), "the read model is the fold of the log up to " + std::to_string(at));
    }

    /// Everything is mended: all that was begun comes to an end, and all that was promised must be there.
    void heal() {
        reads_.from_now_on(test::fault::none);
        let_all_commits_go_on();
        for (std::size_t which = 0; which < operations_.size(); ++which) {
            if (operations_[which].is_over || operations_[which].what == operation::kind::visit) continue;
            send(which, *processes_.front());
            let_all_commits_go_on();
            must(operations_[which].is_over, operations_[which].tag + " has no answer though all is well");
        }
        check_log();
        live_->catch_up();
        check_links(stage_.live, ledger_.head());
        copies_->saw_table();
        copies_->make_whole();
        check_rebuild();
    }

    void let_all_commits_go_on() {
        for (auto& process : processes_)
            while (process->at_gate()) process->release(fate::done);
    }

    void check_rebuild() {
        read_side rebuilt{*log_, projections::create_log_source(*log_), keys_, stage_.rebuilt, 1'000, bug_};
        rebuilt.catch_up();
        for (auto const& name : projections::projection_names()) {
            auto const live = stage_.live.dump(name, stage_.builds.at(name));
            auto const again = stage_.rebuilt.dump(name, stage_.builds.at(name));
            auto const [one, other] = std::mismatch(live.begin(), live.end(), again.begin(), again.end());
            must(one == live.end() && other == again.end(),
                 "a rebuild of " + name + " gives the same rows, not " +
                     (other == again.end() ? std::string{"one less"} : *other) + " for " +
                     (one == live.end() ? std::string{"none"} : *one));
        }
    }

    std::mt19937_64 random_;
    canary const bug_;
    stage& stage_;
    /// Not the day of the run: the same seed is the same story on any day.
    eventlog::timestamp now_{std::chrono::sys_days{std::chrono::year{2026} / 3 / 14} + std::chrono::hours{9}};
    std::unique_ptr<eventlog::event_log> log_;
    test::faulty_log reads_{*log_};
    eventlog::keyring keys_{*log_, master_key_of_simulation()};
    ledger ledger_{*log_, keys_};
    commands::sender admin_;
    std::string workspace_;
    std::vector<std::pair<std::string, std::string>> links_;  ///< Id and code.
    std::map<std::string, std::int64_t> caps_;
    std::vector<operation> operations_;
    std::uint64_t trace_ = 14'695'981'039'346'656'037u;
    std::size_t faults_ = 0, crashes_ = 0;
    std::unique_ptr<copies> copies_;                ///< Before those who read the mirror.
    projections::mirror_source* mirror_ = nullptr;  ///< What `live_` reads.
    std::unique_ptr<read_side> live_;
    std::array<std::unique_ptr<sim_process>, 2> processes_;
};

}  // namespace

report simulate(std::uint64_t seed, stage& on, canary bug) {
    world one{seed, on, bug};
    return one.run();
}

}  // namespace linkledger::simulation
