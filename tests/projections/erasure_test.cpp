// What read models show once somebody or something was erased, live and after a rebuild.

#include "commands/erasure.h"
#include "domain/streams.h"
#include "eventlog/crypto.h"
#include "projections/clicks/clicks_queries.h"
#include "projections/erasure_receipt.h"
#include "projections/links/links_queries.h"
#include "projections/read_model_check.h"
#include "tests/projections/read_models.h"

namespace linkledger::projections {
namespace {

namespace ws = domain::workspace;
using domain::timestamp;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

timestamp at(std::string const& text) {
    return *domain::parse_timestamp(text);
}

class Erasure : public test::on_both_databases {
protected:
    domain::user_id const owner_{story().id()};
    domain::workspace_id const workspace_{story().id()};

    void SetUp() override {
        story().tell(
            domain::stream_of(owner_),
            domain::user::registered{owner_, domain::user::registered_personal{std::nullopt, "Root"}}, {},
            "root");
        tell_workspace(ws::created{workspace_, "Acme", "acme", owner_, "free"});
    }
    void tell_workspace(domain::event const& event, std::string const& subject = "root") {
        story().tell(domain::stream_of(workspace_), event, by(owner_), subject);
    }
    test::told by(domain::user_id const& who) const {
        return {
            workspace_, {eventlog::actor_kind::key, who, std::nullopt}, {"192.0.2.7", "Ann's browser"}, {}};
    }
    domain::link_id make_link(std::string const& code, domain::user_id const& who,
                              std::string const& subject) {
        domain::link::created e;
        e.link_id = {story().id()};
        e.workspace_id = workspace_;
        e.user_id = who;
        e.url = "https://example.com/";
        e.short_code = code;
        story().tell(domain::stream_of(e.link_id), e, by(who), subject);
        return e.link_id;
    }
    void click(domain::link_id const& link, std::string const& visitor, std::string const& when,
               bool is_bot = false) {
        domain::click::clicked e;
        e.link_id = link;
        e.short_code = "code";
        e.country_code = visitor < "m" ? "AT" : "CH";
        e.is_bot = is_bot;
        auto const hash = eventlog::to_hex(eventlog::sha256(when.substr(0, 10) + visitor)).substr(0, 32);
        e.personal =
            domain::click::clicked_personal{hash, "192.0.2.9", "UA " + visitor, "https://r.example/"};
        test::told with;
        with.workspace = workspace_;
        with.at = at(when);
        story().tell(is_bot ? domain::bots_stream_of(link) : domain::clicks_stream_of(link), e, with,
                     eventlog::click_subject(workspace_, at(when)));
    }
    links::link_row get(test::read_models& in, domain::link_id const& id) {
        return *in.read("links", [&](snapshot const& rows) { return links::get_link(rows, id); });
    }
    clicks::link_stats stats(test::read_models& in, domain::link_id const& id, clicks::interval each,
                             std::optional<timestamp> from = {}, std::optional<timestamp> to = {}) {
        clicks::stats_query query;
        query.link_id = id;
        query.interval = each;
        query.from = from;
        query.to = to;
        return in.read("clicks", [&](sql::connection& rows) { return clicks::get_stats(rows, query); });
    }
    void expect_same(test::read_models& a, test::read_models& b) {
        for (char const* name : {"accounts", "links", "clicks", "audit_logs"})
            EXPECT_EQ(a.dump(name), b.dump(name)) << name;
    }
};
LINKLEDGER_ON_BOTH_DATABASES(Erasure);

TEST_P(Erasure, OfAPersonLeavesTheRowsThatARebuildGives) {
    domain::invitation_id const invitation{story().id()};
    domain::user_id const ann{story().id()};
    // The sender's context is under the sender's key, which stays.
    auto invites = by(owner_);
    invites.context = {};
    story().tell(domain::stream_of(workspace_),
                 ws::invited{workspace_, invitation, domain::role::admin, owner_, "hash",
                             story().now() + std::chrono::hours{72}, ws::invited_personal{"ann@example.com"}},
                 invites, "person-ann");
    story().tell(domain::stream_of(ann),
                 domain::user::registered{ann, domain::user::registered_personal{"ann@example.com", "Ann"}},
                 by(ann), "person-ann");
    story().tell(domain::stream_of(workspace_),
                 ws::joined{workspace_, ann, invitation, domain::role::admin, owner_}, by(ann), "person-ann");
    make_link("anns", ann, "person-ann");
    catch_up_all();
    EXPECT_THAT(models_.dump("accounts"), testing::Contains(HasSubstr("ann@example.com")));
    EXPECT_THAT(models_.dump("audit_logs"), testing::Contains(HasSubstr("ann@example.com")));

    auto const key = story().keys().find("person-ann").value()->key_id;
    auto const erased = story().tell(domain::stream_of(ann),
                                     domain::erasure::person_erased{ann, {key}, {{workspace_, invitation}}},
                                     by(owner_), "root");
    catch_up_all();
    for (char const* name : {"accounts", "audit_logs"}) {
        auto const rows = models_.dump(name);
        EXPECT_THAT(rows, Each(Not(HasSubstr("ann@example.com"))));
        EXPECT_THAT(rows, Each(Not(HasSubstr("\"Ann\""))));
    }
    auto const pending = report_erasure(*log_.log, models_.store(), erased, "").value();
    ASSERT_TRUE(pending);
    EXPECT_FALSE(pending->keys_destroyed);
    EXPECT_FALSE(pending->receipt);

    story().erase("person-ann");
    test::read_models rebuilt{GetParam()};
    catch_up(log_, rebuilt);
    expect_same(models_, rebuilt);
    auto const done = report_erasure(*log_.log, models_.store(), erased, "").value();
    ASSERT_TRUE(done && done->receipt);
    EXPECT_THAT(*done->receipt, HasSubstr("user: " + to_string(ann)));
    EXPECT_THAT(*done->receipt, HasSubstr(domain::to_string(key)));
    EXPECT_FALSE(report_erasure(*log_.log, models_.store(), 1, "").value()) << "no erasure";
}

TEST_P(Erasure, OfClickDetailsLeavesEveryCount) {
    auto const a = make_link("aaa", owner_, "root");
    auto const b = make_link("bbb", owner_, "root");
    click(a, "ann", "2020-10-01T00:10:00Z");
    click(a, "ann", "2020-10-01T05:20:00Z");
    click(a, "zoe", "2020-10-01T05:30:00Z");
    click(a, "ann", "2020-10-02T23:59:59Z");
    click(b, "zoe", "2020-10-01T12:00:00Z");
    click(b, "robot", "2020-10-01T12:00:00Z", true);
    click(a, "ann", "2020-10-05T01:00:00Z");
    catch_up_all();
    struct counts {
        std::int64_t total, unique;
        clicks::link_stats by_hour, by_day, by_month, part;
        bool operator==(counts const&) const = default;
    };
    auto const count = [&](test::read_models& in, domain::link_id const& id) {
        auto const row = get(in, id);
        return counts{
            row.total_clicks,
            row.unique_clicks,
            stats(in, id, clicks::interval::hour),
            stats(in, id, clicks::interval::day),
            stats(in, id, clicks::interval::month),
            stats(in, id, clicks::interval::day, at("2020-10-01T05:00:00Z"), at("2020-10-02T00:00:00Z"))};
    };
    auto const before_a = count(models_, a);
    auto const before_b = count(models_, b);
    EXPECT_EQ(before_a.unique, 4);

    eventlog::committer committer{*log_.log, {}};
    commands::click_details details{*log_.log, committer, story().keys()};
    commands::erase_details_options how;
    how.recorded_within = std::chrono::days{3'650};  // The story's days are long past when they are recorded.
    auto const done = details.erase({workspace_, "2020-10-01", "2020-10-02"}, how).value();
    EXPECT_EQ(done.keys, 2u);
    EXPECT_EQ(done.clicks, 6);
    catch_up_all();
    EXPECT_EQ(count(models_, a), before_a);
    EXPECT_EQ(count(models_, b), before_b);

    test::read_models rebuilt{GetParam()};
    catch_up(log_, rebuilt);
    EXPECT_EQ(count(rebuilt, a), before_a);
    EXPECT_EQ(count(rebuilt, b), before_b);
    expect_same(models_, rebuilt);
    auto const report = check_read_models(*log_.log, story().keys(), rebuilt.store(), {}).value();
    EXPECT_THAT(report.differences, IsEmpty());
    auto const rows = models_.dump("clicks");
    EXPECT_THAT(rows, Each(Not(HasSubstr("UA zoe"))));
    EXPECT_THAT(rows, testing::Contains(HasSubstr("UA ann"))) << "5 October is kept";

    EXPECT_EQ(details.erase({workspace_, "2020-10-01", "2020-10-02"}, how).value().keys, 0u);
    EXPECT_TRUE(report_erasure(*log_.log, models_.store(), done.position, "").value()->receipt);
}

TEST_P(Erasure, OfClickDetailsGoesOnWhereItWasInterrupted) {
    auto const a = make_link("aaa", owner_, "root");
    click(a, "ann", "2020-10-01T00:10:00Z");
    catch_up_all();
    eventlog::committer committer{*log_.log, {}};
    commands::click_details details{*log_.log, committer, story().keys()};
    commands::erase_details_options how;
    how.recorded_within = std::chrono::days{3'650};
    how.stopping = [] { return true; };
    EXPECT_FALSE(details.erase({workspace_, "2020-10-01", "2020-10-01"}, how));

    // As if the process had died after the day was settled.
    domain::click::settled day;
    day.link_id = a;
    day.day = "2020-10-01";
    day.key_id =
        story().keys().find(eventlog::click_subject(workspace_, at("2020-10-01T00:00:00Z"))).value()->key_id;
    day.clicks = day.unique_clicks = 1;
    day.hours = {{0, 1, 1}};
    story().tell(domain::days_stream_of(a), day, by(owner_), "root");
    how.stopping = nullptr;
    EXPECT_EQ(details.erase({workspace_, "2020-10-01", "2020-10-01"}, how).value().keys, 1u);
    EXPECT_EQ(log_.log->stream_version(domain::days_stream_of(a)).value(), 1) << "settled once";
    catch_up_all();
    EXPECT_EQ(get(models_, a).unique_clicks, 1);
}

TEST_P(Erasure, ByRetentionFindsTheDaysThatAreOver) {
    auto const a = make_link("aaa", owner_, "root");
    auto const now = at("2020-10-20T12:00:00Z");
    for (char const* when : {"2020-09-30T10:00:00Z", "2020-10-01T10:00:00Z", "2020-10-15T10:00:00Z"})
        click(a, "ann", when);
    auto const found = commands::days_beyond(*log_.log, std::chrono::days{10}, now).value();
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].first_day, "2020-09-30");
    EXPECT_EQ(found[0].last_day, "2020-10-01");
    EXPECT_THAT(commands::days_beyond(*log_.log, std::chrono::days{1}, at("2020-10-08T00:00:00Z")).value(),
                IsEmpty())
        << "not before the day is settled";
}

}  // namespace
}  // namespace linkledger::projections
