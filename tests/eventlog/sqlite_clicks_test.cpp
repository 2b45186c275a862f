// Clicks in the SQLite log, which no index of its own has at once: versions, streams and workspaces are to be
// the same as those of the log in memory, wherever the directories end.

#include "eventlog/crypto.h"
#include "eventlog/memory_log.h"
#include "eventlog/sql/connection.h"
#include "eventlog/sqlite_click_directory.h"
#include "eventlog/sqlite_log.h"
#include "migrations/migrator.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>

#include <map>
#include <random>
#include <set>
#include <thread>

namespace linkledger::test {
namespace {

using namespace eventlog;
using testing::ElementsAre;
using testing::IsEmpty;

event_body an_event(std::string type, uuid const& workspace = {}) {
    event_body body;
    body.event_id = new_uuid_v7();
    body.type = std::move(type);
    body.workspace_id = workspace;
    body.data = body.metadata = "{}";
    body.salt = new_salt();
    return body;
}

append_request a_click(std::string const& stream, uuid const& workspace = {},
                       expected_version expected = expected_version::any()) {
    append_request request;
    request.streams.push_back({stream, expected, {an_event("link.clicked", workspace)}});
    return request;
}

/// Numbers the batches of one process.
class producer {
public:
    append_batch batch(std::vector<append_request> appends) { return {id_, ++sequence_, std::move(appends)}; }

private:
    uuid id_ = new_uuid_v7();
    std::int64_t sequence_ = 0;
};

class SqliteClicks : public testing::Test {
protected:
    SqliteClicks() { migrations::up({sql::dialect::sqlite, path_, ""}); }

    [[nodiscard]] std::unique_ptr<event_log> open(std::size_t file_clicks_each) const {
        sqlite_log_options options;
        options.path = path_;
        options.file_clicks_each = file_clicks_each;
        auto opened = open_sqlite_log(options);
        if (!opened) throw std::runtime_error{opened.error().detail};
        return std::move(opened.value());
    }

    [[nodiscard]] std::int64_t count(std::string const& table) const {
        return *sql::open_sqlite(path_, {})->query_one("SELECT count(*) FROM " + table, {},
                                                       [](sql::row const& r) { return r.integer(0); });
    }

    temp_folder folder_;
    std::string path_ = folder_.file("linkledger.db");
};

// ---- Against the log in memory --------------------------------------------------------------------------

struct seen_event {
    eventlog::position position;
    std::string stream;
    eventlog::version version;
    uuid id;

    bool operator==(seen_event const&) const = default;
    friend void PrintTo(seen_event const& e, std::ostream* out) {
        *out << e.position << ' ' << e.stream << " v" << e.version;
    }
};

std::vector<seen_event> seen(std::vector<recorded_event> const& events) {
    std::vector<seen_event> all;
    for (auto const& e : events) all.push_back({e.position, e.stream, e.version, e.body.event_id});
    return all;
}

/// Two processes that write in turns, one of which starts anew now and then, and the log in memory that is
/// given the same batches.
class SqliteClicksModel : public SqliteClicks {
protected:
    void write_a_batch() {
        std::vector<append_request> appends;
        for (int left = number(1, 12); left > 0; --left) appends.push_back(some_append());
        auto const batch = producer_.batch(std::move(appends));
        auto const made = logs_[static_cast<std::size_t>(number(0, 1))]->append(batch);
        auto const expected = memory_->append(batch);
        ASSERT_TRUE(made) << made.error().detail;
        ASSERT_EQ(made.value().outcomes.size(), expected.value().outcomes.size());
        for (std::size_t i = 0; i < made.value().outcomes.size(); ++i)
            ASSERT_EQ(summary(made.value().outcomes[i]), summary(expected.value().outcomes[i]));
    }

    void start_one_anew() {
        auto& log = logs_[static_cast<std::size_t>(number(0, 1))];
        log.reset();
        log = open(static_cast<std::size_t>(number(1, 30)));
    }

    void look() {
        auto& log = *logs_[static_cast<std::size_t>(number(0, 1))];
        auto const head = memory_->head().value().last;
        read_query query;
        query.after = number(0, 3) == 0 ? 0 : number(0, static_cast<int>(head));
        if (number(0, 2) == 0) query.until = query.after + number(0, 200);
        query.limit = static_cast<std::size_t>(number(1, number(0, 1) == 0 ? 5 : 400));
        if (number(0, 1) == 0) query.workspace_id = workspaces_[static_cast<std::size_t>(number(0, 3))];
        if (number(0, 1) == 0) query.stream = stream();
        if (number(0, 3) == 0) query.types = {"link.clicked", "link.created"};
        if (number(0, 5) == 0) query.types = {"link.clicked"};
        if (number(0, 5) == 0) query.excluded_types = {"link.created"};
        if (number(0, 9) == 0) query.excluded_types = {"link.clicked"};
        auto const page = log.read(query), expected = memory_->read(query);
        ASSERT_TRUE(page) << page.error().detail;
        EXPECT_EQ(seen(page.value().events), seen(expected.value().events));
        EXPECT_EQ(page.value().scanned_to, expected.value().scanned_to);

        auto const name = stream();
        EXPECT_EQ(log.stream_version(name).value(), memory_->stream_version(name).value()) << name;
        version const after = number(0, 60);
        EXPECT_EQ(seen(log.read_stream(name, after, query.limit).value()),
                  seen(memory_->read_stream(name, after, query.limit).value()))
            << name;
    }

    int number(int from, int to) { return std::uniform_int_distribution{from, to}(random_); }

    std::uint64_t seed_ = std::random_device{}();

private:
    /// `clicks-` has clicks alone, `link-` none, `mixed-` both.
    std::string stream() {
        return std::array{"clicks-", "link-", "mixed-"}[static_cast<std::size_t>(number(0, 2))] +
               std::to_string(number(0, number(0, 1) == 0 ? 1 : 40));
    }

    append_request some_append() {
        auto const name = stream();
        append_request request;
        auto expected = expected_version::any();
        if (number(0, 3) == 0) expected = expected_version::below(number(1, 50));
        request.streams.push_back({name, expected, {}});
        for (int events = number(1, 3); events > 0; --events) {
            bool const click = name[0] == 'c' || (name[0] == 'm' && number(0, 1) == 0);
            request.streams.back().events.push_back(
                an_event(click               ? "link.clicked"
                         : number(0, 1) == 0 ? "link.created"
                                             : "link.updated",
                         workspaces_[static_cast<std::size_t>(number(0, 2))]));
        }
        return request;
    }

    static std::string summary(append_outcome const& outcome) {
        if (auto const* done = std::get_if<appended>(&outcome))
            return "at " + std::to_string(done->last_position) + " version " +
                   std::to_string(done->versions.front());
        if (auto const* conflict = std::get_if<version_conflict>(&outcome))
            return conflict->stream + " is at " + std::to_string(conflict->actual);
        return "another outcome";
    }

    std::mt19937_64 random_{seed_};
    std::array<uuid, 4> workspaces_{uuid{}, new_uuid_v7(), new_uuid_v7(), new_uuid_v7()};
    std::unique_ptr<event_log> memory_ = create_memory_log();
    std::array<std::unique_ptr<event_log>, 2> logs_{open(7), open(20)};
    producer producer_;
};

TEST_F(SqliteClicksModel, IsTheLogInMemory) {
    SCOPED_TRACE("seed " + std::to_string(seed_));
    for (int turn = 0; turn < 1'500 && !HasFailure(); ++turn) {
        write_a_batch();
        if (number(0, 49) == 0) start_one_anew();
        if (number(0, 1) == 0) look();
    }
    EXPECT_GT(count("click_directories"), 100);
}

// ---- What the model is too small for --------------------------------------------------------------------

TEST_F(SqliteClicks, AreFoundFromMilestoneToMilestone) {
    constexpr int clicks = 6'000, at_once = 40;
    auto const log = open(100);
    producer writer;
    std::vector<position> at;
    for (int written = 0; written < clicks; written += at_once) {
        std::vector<append_request> appends;
        for (int i = 0; i < at_once; ++i) {
            appends.push_back(a_click("clicks-a"));
            appends.push_back(a_click("clicks-" + std::to_string(i % 7)));
        }
        ASSERT_TRUE(log->append(writer.batch(std::move(appends))));
        for (int i = 0; i < at_once; ++i) at.push_back(2 * (written + i) + 1);
    }
    EXPECT_GE(count("click_milestones"), clicks / 1024);
    EXPECT_EQ(log->stream_version("clicks-a").value(), clicks);
    for (version after = 0; after <= clicks; after += 463) {
        auto const events = log->read_stream("clicks-a", after, 50).value();
        ASSERT_EQ(events.size(), static_cast<std::size_t>(std::min<version>(50, clicks - after)));
        for (std::size_t i = 0; i < events.size(); ++i) {
            EXPECT_EQ(events[i].version, after + static_cast<version>(i) + 1);
            EXPECT_EQ(events[i].position, at[static_cast<std::size_t>(events[i].version) - 1]);
        }
        // The same by position.
        position const from = after == 0 ? 0 : at[static_cast<std::size_t>(after) - 1];
        auto const page = log->read({.after = from, .limit = 50, .stream = "clicks-a"}).value();
        EXPECT_EQ(page.events, events);
    }
    EXPECT_EQ(log->read_stream("clicks-a", 0, 1'000'000).value().size(), std::size_t{clicks});
}

TEST_F(SqliteClicks, CountOnInMoreStreamsThanAnyCacheHolds) {
    constexpr int streams = 70'000, at_once = 2'000, rounds = 2;
    auto const log = open(1'024);
    producer writer;
    for (int round = 1; round <= rounds; ++round)
        for (int first = 0; first < streams; first += at_once) {
            std::vector<append_request> appends;
            for (int i = first; i < first + at_once; ++i)
                appends.push_back(
                    a_click("clicks-" + std::to_string(i), {}, expected_version::below(rounds)));
            auto const done = log->append(writer.batch(std::move(appends)));
            ASSERT_TRUE(done) << done.error().detail;
            for (auto const& outcome : done.value().outcomes) {
                ASSERT_TRUE(std::holds_alternative<appended>(outcome));
                ASSERT_THAT(std::get<appended>(outcome).versions, ElementsAre(round));
            }
        }
    auto const full = log->append(writer.batch({a_click("clicks-5", {}, expected_version::below(rounds))}));
    EXPECT_TRUE(std::holds_alternative<version_conflict>(full.value().outcomes.front()));
}

TEST_F(SqliteClicks, NeverPassACapThatTwoProcessesCountTowards) {
    constexpr version cap = 300;
    std::array<std::unique_ptr<event_log>, 2> const logs{open(5), open(64)};
    std::array<int, 2> accepted{};
    std::vector<std::thread> threads;
    for (std::size_t own = 0; own < 2; ++own)
        threads.emplace_back([&, own] {
            producer writer;
            for (int batch = 0; batch < 100; ++batch) {
                std::vector<append_request> appends;
                for (int i = 0; i < 4; ++i)
                    appends.push_back(a_click("clicks-capped", {}, expected_version::below(cap)));
                for (int i = 0; i < 3; ++i) appends.push_back(a_click("clicks-" + std::to_string(own)));
                auto const done = logs[own]->append(writer.batch(std::move(appends)));
                if (!done) continue;
                for (int i = 0; i < 4; ++i)
                    accepted[own] +=
                        std::holds_alternative<appended>(done.value().outcomes[static_cast<std::size_t>(i)]);
            }
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(accepted[0] + accepted[1], cap);
    auto const events = logs[0]->read_stream("clicks-capped", 0, 1'000).value();
    ASSERT_EQ(events.size(), std::size_t{cap});
    for (std::size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i].version, static_cast<version>(i) + 1);
}

TEST_F(SqliteClicks, OfAnIdleProcessGoOnAfterAnotherWroteVeryMuch) {
    auto const idle = open(1'024), busy = open(1'024);
    producer first, second;
    ASSERT_TRUE(idle->append(first.batch({a_click("clicks-a"), a_click("clicks-b")})));
    for (int batch = 0; batch < 20; ++batch) {
        std::vector<append_request> appends;
        for (int i = 0; i < 400; ++i) appends.push_back(a_click(i % 2 == 0 ? "clicks-a" : "clicks-c"));
        ASSERT_TRUE(busy->append(second.batch(std::move(appends))));
    }
    auto const done =
        idle->append(first.batch({a_click("clicks-a"), a_click("clicks-b"), a_click("clicks-c")}));
    auto const version_at = [&](std::size_t i) {
        return std::get<appended>(done.value().outcomes[i]).versions.front();
    };
    EXPECT_EQ(version_at(0), 4'002);
    EXPECT_EQ(version_at(1), 2);
    EXPECT_EQ(version_at(2), 4'001);
}

TEST_F(SqliteClicks, WithAVersionThatTheStreamHasAlreadyAreRefusedRatherThanFiled) {
    auto log = open(4);
    producer writer;
    ASSERT_TRUE(log->append(
        writer.batch({a_click("clicks-a"), a_click("clicks-a"), a_click("clicks-a"), a_click("clicks-a")})));
    log.reset();
    // What no executable does: then a defect is to show itself before it counts anything twice.
    sql::open_sqlite(path_, {})->execute("UPDATE click_streams SET version = 2");
    log = open(4);
    auto const next = log->append(producer{}.batch({a_click("clicks-a")}));
    ASSERT_TRUE(next);
    sql::open_sqlite(path_, {})->execute("UPDATE click_streams SET version = 3");
    auto const filing =
        log->append(producer{}.batch({a_click("clicks-a"), a_click("clicks-a"), a_click("clicks-a")}));
    ASSERT_FALSE(filing);
    EXPECT_EQ(filing.error().code, failure_code::corrupted);
}

// ---- The bytes ------------------------------------------------------------------------------------------

TEST(ClickDirectory, KeepsRunsOfStreams) {
    std::vector<filed_click> const clicks{
        {101, 3, 7, {}}, {105, 3, 8, {}}, {110, 3, 12, {}}, {102, 900, 1, {}}, {2'000'000, 900, 2, {}}};
    position const until = 2'000'010;
    std::vector<std::int64_t> asked;
    auto const bytes = encode_streams(until, clicks, [&](std::int64_t number) -> position {
        asked.push_back(number);
        return number == 3 ? 100 : 0;
    });
    EXPECT_THAT(asked, ElementsAre(3, 900));
    EXPECT_THAT(runs_of(3, until, bytes),
                ElementsAre(click_run{7, 100, {101, 105}}, click_run{12, 100, {110}}));
    EXPECT_THAT(runs_of(900, until, bytes), ElementsAre(click_run{1, 0, {102, 2'000'000}}));
    EXPECT_THAT(runs_of(2, until, bytes), IsEmpty());
    EXPECT_THAT(runs_of(4, until, bytes), IsEmpty());
    EXPECT_THAT(runs_of(901, until, bytes), IsEmpty());
}

TEST(ClickDirectory, KeepsPositionsOfWorkspaces) {
    uuid const one = new_uuid_v7(), two = new_uuid_v7();
    std::vector<filed_click> const clicks{{5, 1, 1, one}, {6, 2, 1, {}}, {7, 1, 2, two}, {300, 3, 1, one}};
    auto const bytes = encode_workspaces(400, clicks);
    EXPECT_THAT(positions_of(one, 400, bytes), ElementsAre(5, 300));
    EXPECT_THAT(positions_of(two, 400, bytes), ElementsAre(7));
    EXPECT_THAT(positions_of(new_uuid_v7(), 400, bytes), IsEmpty());
    EXPECT_THAT(positions_of({}, 400, bytes), IsEmpty());
}

TEST(ClickDirectory, RefusesBytesThatAreCutShort) {
    uuid const workspace = new_uuid_v7();
    std::vector<filed_click> const clicks{{5, 1, 1, workspace}, {600, 1, 2, workspace}};
    auto const streams = encode_streams(700, clicks, [](std::int64_t) -> position { return 0; });
    auto const workspaces = encode_workspaces(700, clicks);
    for (std::size_t size = 1; size < streams.size(); ++size)
        EXPECT_THROW((void)runs_of(1, 700, streams.substr(0, size)), sql::error) << size;
    for (std::size_t size = 1; size < workspaces.size(); ++size)
        EXPECT_THROW((void)positions_of(workspace, 700, workspaces.substr(0, size)), sql::error) << size;
    EXPECT_THROW((void)runs_of(1, 700, std::string(20, '\xff')), sql::error);
}

}  // namespace
}  // namespace linkledger::test
