// Real-time counters: clicks in, windows out.

#include "projections/read_model_check.h"
#include "projections/realtime/realtime_projection.h"
#include "projections/realtime/realtime_queries.h"

#include "domain/streams.h"
#include "eventlog/crypto.h"
#include "tests/projections/read_models.h"

#include <deque>

namespace linkledger::projections::realtime {
namespace {

using domain::click::clicked;
using std::chrono::hours;
using std::chrono::microseconds;
using test::told;

domain::timestamp at(char const* text) {
    return *domain::parse_timestamp(text);
}

/// Clicks that are recorded when the test says, applied as batches.
class RealtimeWindow : public test::on_both_databases {
protected:
    domain::link_id const link_{story().id()};
    domain::workspace_id const workspace_{story().id()};
    domain::timestamp const noon_ = at("2026-11-21T12:00:00.000001Z");

    void click(domain::timestamp recorded_at, bool is_bot = false,
               std::optional<domain::link_id> link = std::nullopt) {
        auto& made = events_.emplace_back();
        made.stored.position = static_cast<eventlog::position>(events_.size());
        made.stored.recorded_at = recorded_at;
        made.stored.body.workspace_id = workspace_.value;
        clicked e;
        e.link_id = link.value_or(link_);
        e.is_bot = is_bot;
        made.event = e;
    }
    void apply_in_batches_of(std::size_t size) {
        auto const rows = models_.open("realtime");
        realtime_projection projection;
        rows->execute("DELETE FROM realtime_v1");
        for (std::size_t begin = 0; begin < events_.size(); begin += size) {
            std::vector<decoded_event const*> batch;
            for (auto i = begin; i < std::min(events_.size(), begin + size); ++i)
                batch.push_back(&events_[i]);
            sql::transaction transaction{*rows, sql::connection::access::write};
            projection.apply(batch, *rows);
            transaction.commit();
        }
    }
    realtime_count count(domain::uuid const& id, domain::timestamp now) {
        return models_.read("realtime", [&](sql::connection& rows) { return get_count(rows, id, now); });
    }

    std::deque<decoded_event> events_;
};
LINKLEDGER_ON_BOTH_DATABASES(RealtimeWindow);

TEST_P(RealtimeWindow, OpensWithTheFirstClickAndLastsADay) {
    click(noon_);
    click(noon_ + hours{24} - microseconds{1});
    apply_in_batches_of(10);
    realtime_count const two{2, noon_, noon_ + hours{24}};
    EXPECT_EQ(count(link_.value, noon_), two);
    EXPECT_EQ(count(link_.value, noon_ + hours{24} - microseconds{1}), two);
    EXPECT_EQ(count(link_.value, noon_ + hours{24}), realtime_count{});
    EXPECT_EQ(count(workspace_.value, noon_), two);
}

TEST_P(RealtimeWindow, OpensAgainWithTheFirstClickAfterItsEnd) {
    click(noon_);
    click(noon_ + hours{24});
    click(noon_ + hours{30});
    click(noon_ + hours{60});
    apply_in_batches_of(2);
    realtime_count const third{1, noon_ + hours{60}, noon_ + hours{84}};
    EXPECT_EQ(count(link_.value, noon_ + hours{61}), third);
}

TEST_P(RealtimeWindow, OfALinkAndOfItsWorkspaceOpenApart) {
    domain::link_id const other{story().id()};
    click(noon_, false, other);
    click(noon_ + hours{5});
    apply_in_batches_of(1);
    EXPECT_EQ(count(link_.value, noon_ + hours{6}).window_opened_at, noon_ + hours{5});
    EXPECT_EQ(count(workspace_.value, noon_ + hours{6}), (realtime_count{2, noon_, noon_ + hours{24}}));
    EXPECT_EQ(count(workspace_.value, noon_ + hours{25}), realtime_count{});
    EXPECT_EQ(count(link_.value, noon_ + hours{25}).count, 1);
}

TEST_P(RealtimeWindow, LeavesBotsOut) {
    click(noon_, true);
    click(noon_ + hours{1});
    click(noon_ + hours{2}, true);
    apply_in_batches_of(10);
    EXPECT_EQ(count(link_.value, noon_ + hours{2}), (realtime_count{1, noon_ + hours{1}, noon_ + hours{25}}));
}

TEST_P(RealtimeWindow, IsTheSameHoweverEventsAreCutIntoBatches) {
    std::vector<domain::link_id> links;
    for (int i = 0; i < 5; ++i) links.emplace_back(story().id());
    for (int i = 0; i < 200; ++i)
        click(noon_ + hours{i} / 3, i % 7 == 0, links[static_cast<std::size_t>(i * i) % links.size()]);
    apply_in_batches_of(1);
    auto const one_by_one = models_.dump("realtime");
    ASSERT_EQ(one_by_one.size(), 4u);  // Squares modulo 5 are 0, 1 and 4; and the workspace.
    for (std::size_t const size : {3u, 17u, 200u}) {
        apply_in_batches_of(size);
        EXPECT_EQ(models_.dump("realtime"), one_by_one) << size;
    }
}

TEST_P(RealtimeWindow, ListsWhatChangedInOrderOfPosition) {
    domain::link_id const other{story().id()};
    click(noon_);
    click(noon_, false, other);
    click(noon_);
    apply_in_batches_of(10);
    auto const rows =
        models_.read("realtime", [](sql::connection& in) { return changed_counters(in, 2, 10); });
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].window.position, 3);
    EXPECT_EQ(rows[1].window.position, 3);
    auto const all = models_.read("realtime", [](sql::connection& in) { return changed_counters(in, 0, 2); });
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].id, other.value);
    EXPECT_EQ(all[0].window.count, 1);
}

class RealtimeCheck : public test::on_both_databases {};
LINKLEDGER_ON_BOTH_DATABASES(RealtimeCheck);

TEST_P(RealtimeCheck, FindsCountersThatTheLogDoesNotExplain) {
    domain::link_id const link{story().id()};
    told with;
    with.workspace = domain::workspace_id{story().id()};
    for (int i = 0; i < 3; ++i) {
        clicked e;
        e.link_id = link;
        story().tell(domain::clicks_stream_of(link), e, with);
    }
    catch_up_all();
    auto const differences = [&] {
        auto const report = check_read_models(*log_.log, story().keys(), models_.store(), {}).value();
        std::vector<std::string> found;
        for (auto const& each : report.differences)
            if (each.model == "realtime") found.push_back(each.what);
        return found;
    };
    EXPECT_TRUE(differences().empty());
    auto const rows = models_.open("realtime");
    rows->execute("UPDATE realtime_v1 SET count = 4 WHERE kind = 'link'");
    rows->execute("DELETE FROM realtime_v1 WHERE kind = 'workspace'");
    auto const found = differences();
    ASSERT_EQ(found.size(), 2u);
    EXPECT_THAT(found, testing::Contains(testing::HasSubstr("is 4 since")));
    EXPECT_THAT(found, testing::Contains(testing::HasSubstr("is missing")));
}

}  // namespace
}  // namespace linkledger::projections::realtime
