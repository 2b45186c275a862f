// Rebuilds: the same rows as a fold in order, kills, switches and rollbacks, what is refused.

#include "projections/rebuild/rebuild.h"

#include "domain/streams.h"
#include "projections/builds.h"
#include "projections/checkpoint.h"
#include "projections/links/links_queries.h"
#include "projections/rebuild/bulk_build.h"
#include "tests/projections/random_story.h"
#include "tests/projections/read_models.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <future>
#include <random>
#include <thread>

namespace linkledger::projections {
namespace {

using namespace std::chrono_literals;
using test::first_difference;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Rebuild : public test::on_both_databases {
protected:
    [[nodiscard]] rebuild_surroundings surroundings() {
        return {*log_.source, story().keys(), models_.store(),
                [this] { return eventlog::create_bulk_reader(*log_.log); }, all_};
    }
    static rebuild_options of(std::string name, std::optional<int> version = {}) {
        rebuild_options options;
        options.name = std::move(name);
        options.version = version;
        options.range_events = 20;
        return options;
    }
    rebuild_outcome run(rebuild_options const& options) {
        return rebuild(
            options, surroundings(), [this](rebuild_status const& now) { last_ = now; }, stop_);
    }
    /// To be killed.
    pid_t run_in_a_process(rebuild_options const& options) {
        pid_t const child = ::fork();
        EXPECT_GE(child, 0);
        if (child != 0) return child;
        // The log in memory was copied with the process; the databases are shared.
        auto const store = models_.open_store();
        auto const with =
            rebuild_surroundings{*log_.source, story().keys(), *store,
                                 [this] { return eventlog::create_bulk_reader(*log_.log); }, all_};
        try {
            rebuild(options, with, {}, stop_);
        } catch (version_refused const&) {
        }
        ::_exit(0);
    }
    /// As a database is that was made before there were versions.
    void pin_links_to_version_1() {
        auto const tables = models_.store().open_writer("links", 1);
        auto const of_v1 = std::find_if(all_.begin(), all_.end(), [](auto const& p) {
            return p->name() == "links" && p->version() == 1;
        });
        add_build(*models_.store().open_control(),
                  {"links", 1, build_state::live, fingerprint_of(**of_v1, *tables)});
    }
    /// What a runner makes of the same log, in order, in a database of its own.
    std::vector<std::string> folded(std::string const& name) {
        test::read_models other{GetParam()};
        test::catch_up(log_, other);
        return other.dump(name);
    }
    build_state state_of(std::string const& name, build_id which) {
        for (auto const& row : load_builds(*models_.store().open_control())) {
            if (row.name == name && row.build == which) return row.state;
        }
        ADD_FAILURE() << "no such version";
        return build_state::dropping;
    }
    template <typename Work>
    static std::string refusal_of(Work const& work) {
        try {
            work();
        } catch (version_refused const& refused) {
            return refused.what();
        }
        return "not refused";
    }
    eventlog::position head() { return log_.log->head().value().last; }

    std::vector<std::unique_ptr<projection>> all_ = create_all();
    std::atomic<bool> stop_ = false;
    rebuild_status last_;
};
LINKLEDGER_ON_BOTH_DATABASES(Rebuild);

TEST_P(Rebuild, GivesTheRowsOfAFoldInOrderForEveryProjection) {
    test::tell_random_story(story(), 3, 900);
    catch_up_all();
    for (auto const& name : projection_names()) {
        SCOPED_TRACE(name);
        auto const before = models_.live(name);
        auto const made = run(of(name));
        EXPECT_EQ(made.made, (build_id{before.version, 2}));
        EXPECT_TRUE(made.switched);
        EXPECT_THAT(made.differences, IsEmpty());
        EXPECT_EQ(models_.live(name), made.made);
        EXPECT_EQ(state_of(name, before), build_state::kept);
        EXPECT_EQ(first_difference(models_.dump(name, made.made), models_.dump(name, before)), "");
        EXPECT_EQ(last_.phase, rebuild_phase::done);
        EXPECT_EQ(last_.position, head());
    }
}

TEST_P(Rebuild, BuildsANewVersionOnALogOfTheOneBeforeAndGoesBackToCurrentRows) {
    pin_links_to_version_1();
    test::tell_random_story(story(), 4, 700);
    catch_up_all();
    ASSERT_EQ(models_.live("links"), build_id{1});
    auto const expected_v1 = models_.dump("links", 1);

    auto const made = run(of("links"));
    EXPECT_EQ(made.made, build_id{2});
    EXPECT_THAT(made.differences, IsEmpty());
    EXPECT_EQ(first_difference(models_.dump("links", 2), folded("links")), "");
    EXPECT_EQ(first_difference(models_.dump("links", 1), expected_v1), "");

    // Both are fed from now on, so that going back loses nothing.
    test::tell_random_story(story(), 5, 100);
    runner running{*log_.source, story().keys(), models_.store(), create_all(), test::quick_options()};
    running.start();
    ASSERT_TRUE(test::at_head(running, *log_.log));
    switch_version(models_.store(), "links", 1);
    EXPECT_EQ(models_.live("links"), build_id{1});
    models_.store().read("links", [&](snapshot const& now) {
        EXPECT_EQ(now.build, build_id{1});
        EXPECT_EQ(now.position, head());
    });
    running.stop();
    EXPECT_EQ(first_difference(models_.dump("links", 2), folded("links")), "");
}

TEST_P(Rebuild, LosesAndRepeatsNothingWhenItIsKilled) {
    pin_links_to_version_1();
    test::tell_random_story(story(), 6, 1'500);
    catch_up_all();
    std::mt19937 random{6};
    int kills = 0;
    for (auto const* const name : {"links", "clicks", "audit_logs"}) {
        SCOPED_TRACE(name);
        for (int round = 0; round < 8; ++round) {
            auto options = of(name);
            options.rate_max = 4'000;
            pid_t const child = run_in_a_process(options);
            std::this_thread::sleep_for(std::chrono::milliseconds{40 + random() % 150});
            ::kill(child, SIGKILL);
            int status = 0;
            ASSERT_EQ(::waitpid(child, &status, 0), child);
            if (WIFSIGNALED(status)) ++kills;
            if (state_of(name, models_.live(name)) == build_state::live && models_.live(name) != build_id{1})
                break;
        }
        if (models_.live(name) == build_id{1}) {
            EXPECT_TRUE(run(of(name)).switched);
        }
        EXPECT_EQ(first_difference(models_.dump(name), folded(name)), "");
    }
    EXPECT_GT(kills, 3);
}

TEST_P(Rebuild, WaitsForAnIndexThatTheServerGoesOnMakingForAKilledOne) {
    if (GetParam() == sql::dialect::sqlite) return;  // It makes indexes in the process that is killed.
    pin_links_to_version_1();
    test::tell_random_story(story(), 8, 300);
    catch_up_all();
    auto slow = of("links");
    slow.rate_max = 500;
    auto const looking = models_.store().open_loader("links", 2);
    auto const waiting = [](int sessions) {
        return "SELECT count(*) = " + std::to_string(sessions) +
               " FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND "
               "query LIKE '%link_visitors_v2 ADD%'";
    };
    auto const wait_for = [&](std::string const& what) {
        for (int i = 0; i < 1'000; ++i) {
            if (looking->query_one(what, {}, [](sql::row const& r) { return r.boolean(0); }).value_or(false))
                return;
            std::this_thread::sleep_for(10ms);
        }
        ADD_FAILURE() << what;
    };
    pid_t const child = run_in_a_process(slow);
    wait_for("SELECT to_regclass('rebuild_links_v2') IS NOT NULL");
    // While somebody reads the table, rows are let in, and no primary key.
    auto const reading = models_.store().open_loader("links", 2);
    std::optional<sql::transaction> read{std::in_place, *reading, sql::connection::access::read};
    reading->query("SELECT 1 FROM link_visitors_v2 LIMIT 1", {}, [](sql::row const&) {});
    wait_for(waiting(1));
    ::kill(child, SIGKILL);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    auto next = std::async(std::launch::async, [&] { return run(of("links")); });
    wait_for(waiting(2));
    read.reset();
    EXPECT_TRUE(next.get().switched);
    EXPECT_EQ(first_difference(models_.dump("links"), folded("links")), "");
}

TEST_P(Rebuild, GoesOnWhereItWasInterrupted) {
    test::tell_random_story(story(), 7, 800);
    catch_up_all();
    auto slow = of("clicks");
    slow.rate_max = 200;
    auto const end_it_on_the_way = [this](rebuild_status const& now) {
        last_ = now;
        if (now.position > 0) stop_ = true;
    };
    EXPECT_THROW(rebuild(slow, surroundings(), end_it_on_the_way, stop_), rebuild_interrupted);
    stop_ = false;
    EXPECT_EQ(state_of("clicks", {1, 2}), build_state::building);
    EXPECT_EQ(models_.live("clicks"), build_id{1});
    auto const done_before = last_.position;
    EXPECT_GT(done_before, 0);
    EXPECT_TRUE(run(of("clicks")).switched);
    EXPECT_EQ(first_difference(models_.dump("clicks"), folded("clicks")), "");
}

TEST_P(Rebuild, IsRefusedWhileAnotherOfTheSameProjectionRuns) {
    catch_up_all();
    auto const control = models_.store().open_control();
    auto const held = models_.store().try_lock_rebuild("links", *control);
    ASSERT_TRUE(held);
    EXPECT_THAT(refusal_of([&] { run(of("links")); }), HasSubstr("running already"));
    EXPECT_TRUE(run(of("clicks")).switched) << "another projection is not concerned";
    EXPECT_THAT(refusal_of([&] { drop_version(models_.store(), all_, "links", 1); }), HasSubstr("running"));
}

TEST_P(Rebuild, RefusesWhatThereIsNot) {
    catch_up_all();
    EXPECT_THAT(refusal_of([&] { run(of("links", 9)); }), HasSubstr("does not know version 9"));
    EXPECT_THAT(refusal_of([&] { switch_version(models_.store(), "links", 9); }), HasSubstr("no version 9"));
    EXPECT_THAT(refusal_of([&] { drop_version(models_.store(), all_, "links", models_.live("links")); }),
                HasSubstr("is live"));
}

TEST_P(Rebuild, ListsDifferencesAndSwitchesOnlyWhenTheyAreAccepted) {
    test::tell_random_story(story(), 8, 300);
    catch_up_all();
    auto const removed = models_.open("clicks")->execute(
        "DELETE FROM clicks_v1 WHERE is_bot AND id IN (SELECT id FROM clicks_v1 WHERE is_bot LIMIT 1)");
    ASSERT_EQ(removed, 1);
    auto const made = run(of("clicks"));
    EXPECT_FALSE(made.switched);
    EXPECT_THAT(made.differences, ElementsAre(HasSubstr("clicks: ")));
    EXPECT_THAT(made.differences.front(), HasSubstr("rows live"));
    EXPECT_EQ(models_.live("clicks"), build_id{1});
    EXPECT_EQ(load_rebuilds(*models_.store().open_control()).front().differences, made.differences);

    // The operator looks at them and takes the new rows.
    switch_version(models_.store(), "clicks", made.made);
    EXPECT_EQ(first_difference(models_.dump("clicks"), folded("clicks")), "");
    auto knowing = of("clicks");
    models_.open("clicks")->execute("DELETE FROM clicks_v1");
    knowing.accepts_differences = true;
    EXPECT_TRUE(run(knowing).switched);
    EXPECT_EQ(first_difference(models_.dump("clicks"), folded("clicks")), "");
}

TEST_P(Rebuild, KeepsFeedingWhatIsReadyAndDropsItWhole) {
    test::tell_random_story(story(), 9, 200);
    catch_up_all();
    auto stay = of("audit_logs");
    stay.switches = false;
    auto const made = run(stay);
    EXPECT_FALSE(made.switched);
    EXPECT_EQ(state_of("audit_logs", made.made), build_state::ready);
    EXPECT_THAT(refusal_of([&] { run(stay); }), HasSubstr("is ready"));
    test::tell_random_story(story(), 10, 100);
    runner running{*log_.source, story().keys(), models_.store(), create_all(), test::quick_options()};
    running.start();
    ASSERT_TRUE(test::at_head(running, *log_.log));
    switch_version(models_.store(), "audit_logs", made.made);
    drop_version(models_.store(), all_, "audit_logs", 1);
    running.stop();
    EXPECT_EQ(first_difference(models_.dump("audit_logs"), folded("audit_logs")), "");
    EXPECT_THAT(models_.dump("audit_logs", 1), IsEmpty());
    // What was dropped is free for the next one.
    EXPECT_EQ(run(of("audit_logs")).made, (build_id{1, 3}));
}

TEST_P(Rebuild, FoldsInOrderWhenAnEventHasToBeParked) {
    test::tell_random_story(story(), 11, 200);
    story().tell_garbage("link-bad", "link.created");
    catch_up_all();
    auto const made = run(of("links"));
    EXPECT_TRUE(made.switched);
    EXPECT_EQ(first_difference(models_.dump("links"), folded("links")), "");
    EXPECT_EQ(load_parked(*models_.open("links"), "links", 2).size(), 1u);
}

TEST_P(Rebuild, LosesNoClickThatIsRecordedMeanwhileAndFailsNoRead) {
    pin_links_to_version_1();
    test::tell_random_story(story(), 12, 600);
    domain::link::created made;
    made.link_id = {story().id()};
    made.workspace_id = {story().id()};
    made.short_code = "busy";
    made.url = "https://example.com/";
    story().tell(domain::stream_of(made.link_id), made);
    runner running{*log_.source, story().keys(), models_.store(), create_all(), test::quick_options()};
    running.start();
    ASSERT_TRUE(test::at_head(running, *log_.log));

    std::atomic<bool> over = false;
    std::int64_t clicks = 0;
    std::thread clicker{[&] {
        for (; !over; ++clicks) {
            domain::click::clicked click;
            click.link_id = made.link_id;
            click.country_code = "DE";
            click.personal = domain::click::clicked_personal{"visitor " + std::to_string(clicks), {}, {}, {}};
            story().tell(domain::clicks_stream_of(made.link_id), click);
            std::this_thread::sleep_for(1ms);
        }
    }};
    int reads = 0;
    std::thread reader{[&] {
        for (eventlog::position seen = 0; !over; ++reads) {
            models_.store().read("links", [&](snapshot const& now) {
                EXPECT_GE(now.position, seen) << "a read went back in time";
                seen = now.position;
                EXPECT_TRUE(links::get_link(now, made.link_id));
            });
        }
    }};
    auto const done = run(of("links"));
    std::this_thread::sleep_for(200ms);
    switch_version(models_.store(), "links", 1);
    switch_version(models_.store(), "links", 2);
    over = true;
    clicker.join();
    reader.join();
    EXPECT_TRUE(done.switched);
    EXPECT_THAT(done.differences, IsEmpty());
    EXPECT_GT(reads, 10);
    // The version that was switched in last may have a few events to go.
    auto const head = log_.log->head().value().last;
    auto const deadline = std::chrono::steady_clock::now() + 30s;
    while (models_.read("links", [](snapshot const& now) { return now.position; }) < head) {
        ASSERT_LT(std::chrono::steady_clock::now(), deadline);
        std::this_thread::sleep_for(10ms);
    }
    auto const row =
        models_.read("links", [&](snapshot const& now) { return links::get_link(now, made.link_id); });
    EXPECT_EQ(row->total_clicks, clicks);
    EXPECT_EQ(row->unique_clicks, clicks);
    EXPECT_EQ(row->clicks_by_country->at("DE").to_number<std::int64_t>(), clicks);
    running.stop();
}

TEST_P(Rebuild, LeavesAVersionOfANewerExecutableAlone) {
    catch_up_all();
    auto const control = models_.store().open_control();
    add_build(*control, {"links", 99, build_state::ready, "0123456789abcdef"});
    make_live(*control, "links", 99);
    auto const read = [&] { models_.store().read("links", [](snapshot const&) {}); };
    try {
        read();
        ADD_FAILURE() << "read";
    } catch (unreadable_version const& refused) {
        EXPECT_THAT(refused.what(), HasSubstr("live in version 99, which this executable cannot read"));
    }
    EXPECT_THAT(refusal_of([&] { run(of("links")); }), HasSubstr("does not know"));
    // The rest goes on, and the version before is fed for those who go back.
    runner running{*log_.source, story().keys(), models_.store(), create_all(), test::quick_options()};
    running.start();
    EXPECT_TRUE(running.wait_for("clicks", head(), 30s));
    // Who waits for that one waits in vain, and nothing else happens.
    EXPECT_FALSE(running.wait_for("links", head() + 1, 700ms));
    running.stop();
}

TEST_P(Rebuild, IsRefusedWhileItsVersionIsBeingDropped) {
    catch_up_all();
    auto const made = run(of("links"));
    switch_version(models_.store(), "links", 2);
    set_build_state(*models_.store().open_control(), "links", made.made, build_state::dropping);
    EXPECT_THAT(refusal_of([&] { run(of("links")); }), HasSubstr("is being dropped"));
    drop_version(models_.store(), all_, "links", made.made);
    EXPECT_EQ(run(of("links")).made, made.made);
}

TEST_P(Rebuild, SwitchesInNothingOfWhichNobodyKnowsHowItCompares) {
    test::tell_random_story(story(), 9, 100);
    catch_up_all();
    auto options = of("links");
    options.switches = false;
    auto const made = run(options);
    models_.store().open_control()->execute("DELETE FROM projection_rebuilds WHERE name = 'links'");
    EXPECT_THAT(refusal_of([&] { run(of("links")); }), HasSubstr("is not known any more"));
    EXPECT_EQ(state_of("links", made.made), build_state::ready);
    options.switches = options.accepts_differences = true;
    EXPECT_TRUE(run(options).switched);
}

TEST_P(Rebuild, IsReadWhereItsNumberWasAnotherBuildsBefore) {
    test::tell_random_story(story(), 9, 100);
    catch_up_all();
    auto const server = models_.open_store();  // Another process, which keeps connections.
    auto const seen = [&] {
        eventlog::position at = 0;
        server->read("links", [&](snapshot const& now) { at = now.position; });
        return at;
    };
    auto const first = run(of("links"));
    EXPECT_EQ(seen(), head());
    switch_version(models_.store(), "links", 2);
    drop_version(models_.store(), all_, "links", first.made);
    test::tell_random_story(story(), 10, 100);
    catch_up_all();
    EXPECT_EQ(run(of("links")).made, first.made);
    EXPECT_EQ(seen(), head());
}

TEST_P(Rebuild, NoticesAProjectionThatChangedWithoutANewVersion) {
    catch_up_all();
    auto const tables = models_.store().open_writer("audit_logs", 1);
    tables->execute("ALTER TABLE audit_logs_v1 ADD COLUMN forgotten text");
    EXPECT_THROW(adopt_builds(models_.store(), all_), forgotten_version);
    tables->execute("ALTER TABLE audit_logs_v1 DROP COLUMN forgotten");
    EXPECT_NO_THROW(adopt_builds(models_.store(), all_));
}

/// Should this fail: a projection's columns or event types were changed. Raise its version
/// (migrations/README.md) and add a line, rather than change one.
TEST_P(Rebuild, KnowsEveryReleasedVersionByItsFingerprint) {
    std::vector<std::string> found;
    for (auto const& each : all_) {
        auto const tables = models_.store().open_writer(std::string{each->name()}, each->version());
        found.push_back(std::string{each->name()} + " v" + std::to_string(each->version()) + " " +
                        fingerprint_of(*each, *tables));
    }
    if (GetParam() == sql::dialect::sqlite)
        EXPECT_THAT(found, ElementsAre("accounts v1 aa3a6293281acd8a", "links v2 e931684bf1fdacd6",
                                       "links v1 fae50386969e0425", "clicks v1 303a1ec13b3e7d3e",
                                       "audit_logs v1 c2c922a7d44d702f", "realtime v1 ac903e9d011a6c2c"));
    else
        EXPECT_THAT(found, ElementsAre("accounts v1 2907f95179ad91ba", "links v2 44977e104efacf2b",
                                       "links v1 24a0b2c00e655767", "clicks v1 3a2d2b186d148d38",
                                       "audit_logs v1 438f12bc8bc33b7f", "realtime v1 842b896531f70041"));
}

}  // namespace
}  // namespace linkledger::projections
