// Parked events as an operator in another process sees and changes them.
#include "domain/streams.h"
#include "projections/checkpoint.h"
#include "projections/links/links_queries.h"
#include "tests/projections/in_between.h"
#include "tests/projections/read_models.h"
#include "tests/support/eventually.h"

#include <atomic>

namespace linkledger::projections {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using testing::IsEmpty;
using testing::SizeIs;

/// The links projection, which refuses one position while it is told to.
class refusing final : public test::projection_in_between {
public:
    explicit refusing(std::atomic<eventlog::position>& refused)
        : projection_in_between(test::create_projection("links")), refused_(refused) {}
    void apply(event_batch batch, sql::connection& transaction) override {
        for (auto const* event : batch)
            if (event->stored.position == refused_) throw std::runtime_error{"a fault"};
        projection_in_between::apply(batch, transaction);
    }

private:
    std::atomic<eventlog::position>& refused_;
};

class Parked : public test::on_both_databases {
protected:
    void SetUp() override {
        link_ = {story().id()};
        domain::link::created made;
        made.link_id = link_;
        made.workspace_id = {story().id()};
        made.short_code = "parked";
        made.url = "https://example.com/";
        story().tell(domain::stream_of(link_), made);
        domain::link::disabled disabled;
        disabled.link_id = link_;
        refused_ = story().tell(domain::stream_of(link_), disabled);
        domain::link::enabled enabled;
        enabled.link_id = link_;
        auto const last = story().tell(domain::stream_of(link_), enabled);
        auto options = test::quick_options();
        options.parked_retry_pause = 1h;
        std::vector<std::unique_ptr<projection>> all;
        all.push_back(std::make_unique<refusing>(refused_));
        runner_ =
            std::make_unique<runner>(*log_.source, story().keys(), models_.store(), std::move(all), options);
        runner_->start();
        ASSERT_TRUE(runner_->wait_for("links", last, 60s));
        // The runner tries them once more of its own accord, then not for an hour.
        ASSERT_TRUE(eventually([&] { return parked().size() == 2 && parked().front().attempts == 2; }));
    }
    std::vector<parked_event> parked() {
        return models_.read("links", [](sql::connection& rows) { return load_parked(rows, "links", 2); });
    }
    std::int64_t change(eventlog::position at, parked_change what) {
        auto const writer = models_.store().open_writer("links", 2);
        return change_parked(*writer, "links", 2, at, what);
    }
    bool is_active() {
        auto const row = models_.read(
            "links", [&](projections::snapshot const& rows) { return links::get_link(rows, link_); });
        return row && row->is_active;
    }

    domain::link_id link_;
    std::atomic<eventlog::position> refused_ = 0;
    std::unique_ptr<runner> runner_;
};
LINKLEDGER_ON_BOTH_DATABASES(Parked);

TEST_P(Parked, AreTriedAgainInOrderWhenAnOperatorAsks) {
    refused_ = 0;
    EXPECT_EQ(change(0, parked_change::retry), 2);
    EXPECT_TRUE(eventually([&] { return parked().empty(); }));
    EXPECT_TRUE(is_active());
}

TEST_P(Parked, StayWithAnotherAttemptWhenTheyFailAgain) {
    EXPECT_EQ(change(refused_, parked_change::retry), 1);
    EXPECT_TRUE(eventually([&] { return parked().front().attempts == 1; }));
    EXPECT_THAT(parked(), SizeIs(2));
}

TEST_P(Parked, LetLaterOnesGoOnWhenTheyAreGivenUp) {
    EXPECT_EQ(change(refused_, parked_change::skip), 1);
    EXPECT_TRUE(eventually([&] { return parked().empty(); }));
    EXPECT_EQ(change(refused_, parked_change::skip), 0);
}

}  // namespace
}  // namespace linkledger::projections
