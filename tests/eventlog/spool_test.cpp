// Clicks on disk that wait for the log: what a batch holds is fixed, what was added survives, bounds hold.
#include "eventlog/spool/spool.h"

#include "eventlog/crypto.h"
#include "tests/support/lossy_vfs.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <random>
#include <set>

namespace linkledger::eventlog {
namespace {

using test::lossy_vfs;
using test::temp_folder;
using testing::IsEmpty;

append_request click(std::string const& data = "{}") {
    event_body event;
    event.event_id = new_uuid_v7();
    event.type = "link.clicked";
    event.workspace_id = new_uuid_v7();
    event.data = data;
    event.personal = {new_uuid_v7(), random_bytes(40)};
    event.metadata = R"({"command":"ClickLink"})";
    event.occurred_at = now();
    event.salt = new_salt();
    append_request made;
    made.streams.push_back({"clicks-" + domain::to_string(new_uuid_v7()), expected_version::any(), {event}});
    return made;
}

event_body const& event_of(append_request const& one) {
    return one.streams.front().events.front();
}

std::vector<uuid> ids_of(std::vector<append_request> const& clicks) {
    std::vector<uuid> ids;
    for (auto const& one : clicks) ids.push_back(event_of(one).event_id);
    return ids;
}

class Spool : public testing::Test {
protected:
    Spool() { open(); }

    void open(std::size_t bytes_max = 1u << 20) {
        spool_.reset();
        spool_options options;
        options.path = folder_.file("spool.db");
        options.bytes_max = bytes_max;
        options.batch_appends_max = 3;
        spool_ = spool::open(options).value();
        ASSERT_TRUE(spool_->bind_history(head_));
    }
    std::vector<append_request> add(std::size_t count) {
        std::vector<append_request> clicks(count);
        for (auto& one : clicks) one = click();
        EXPECT_TRUE(spool_->add(clicks));
        return clicks;
    }
    std::optional<append_batch> next() {
        return spool_->next([](event_body&, bool) -> result<void> { return boost::outcome_v2::success(); })
            .value();
    }

    temp_folder folder_;
    log_head head_{new_uuid_v7(), 1, 0, {}};
    std::unique_ptr<spool> spool_;
};

TEST_F(Spool, GivesOutWhatWasAddedByteForByteAndInOrder) {
    auto const clicks = add(5);
    std::vector<append_request> given;
    while (auto const batch = next()) {
        EXPECT_LE(batch->appends.size(), 3u);
        given.insert(given.end(), batch->appends.begin(), batch->appends.end());
        ASSERT_TRUE(spool_->remove(number_of(*batch)));
    }
    ASSERT_EQ(given.size(), clicks.size());
    for (std::size_t i = 0; i < clicks.size(); ++i) {
        EXPECT_EQ(given[i].streams.front().stream, clicks[i].streams.front().stream);
        EXPECT_EQ(event_of(given[i]).event_id, event_of(clicks[i]).event_id);
        EXPECT_EQ(event_of(given[i]).personal, event_of(clicks[i]).personal);
        EXPECT_EQ(event_of(given[i]).data, event_of(clicks[i]).data);
        EXPECT_EQ(event_of(given[i]).metadata, event_of(clicks[i]).metadata);
        EXPECT_EQ(event_of(given[i]).salt, event_of(clicks[i]).salt);
        EXPECT_EQ(domain::to_unix_us(event_of(given[i]).occurred_at),
                  domain::to_unix_us(event_of(clicks[i]).occurred_at));
    }
    EXPECT_EQ(spool_->stats().clicks, 0u);
    EXPECT_EQ(spool_->stats().bytes, 0u);
}

TEST_F(Spool, FixesABatchBeforeItIsGivenOut) {
    add(2);
    auto const before = next();
    add(1);
    open();
    auto const after = next();
    ASSERT_TRUE(before && after);
    EXPECT_EQ(after->producer, before->producer);
    EXPECT_EQ(after->sequence, before->sequence);
    EXPECT_EQ(ids_of(after->appends), ids_of(before->appends)) << "not with what came later";
}

TEST_F(Spool, StoresWhatABatchNeededBeforeItWasFixed) {
    add(1);
    auto const key = new_uuid_v7();
    auto const reseal = [&](event_body& event, bool) -> result<void> {
        event.personal.key_id = key;
        return boost::outcome_v2::success();
    };
    ASSERT_TRUE(spool_->next(reseal).value());
    open();
    EXPECT_EQ(event_of(next()->appends.front()).personal.key_id, key);
}

TEST_F(Spool, NumbersItsBatchesFromOneWithoutAGap) {
    add(8);
    std::vector<std::int64_t> sequences;
    std::set<uuid> producers;
    for (int i = 0; i < 2; ++i) {
        auto const batch = next();
        sequences.push_back(batch->sequence);
        producers.insert(batch->producer);
        ASSERT_TRUE(spool_->remove(number_of(*batch)));
    }
    EXPECT_THAT(sequences, testing::ElementsAre(1, 2));
    EXPECT_EQ(producers.size(), 1u);
    open();
    auto const batch = next();
    EXPECT_EQ(batch->sequence, 1) << "the store may have forgotten an old producer";
    EXPECT_FALSE(producers.contains(batch->producer));
}

TEST_F(Spool, HoldsBackABatchThatSomebodyElseIsSending) {
    append_batch const sent{new_uuid_v7(), 7, {click(), click()}};
    auto const later = click();
    ASSERT_TRUE(spool_->add({later}, sent));
    EXPECT_FALSE(next());
    spool_->release(number_of(sent));
    auto const given = next();
    ASSERT_TRUE(given);
    EXPECT_EQ(given->producer, sent.producer) << "under the number that it was sent under";
    EXPECT_EQ(given->sequence, 7);
    EXPECT_EQ(ids_of(given->appends), ids_of(sent.appends));
    ASSERT_TRUE(spool_->remove(number_of(sent)));
    EXPECT_EQ(ids_of(next()->appends), ids_of({later}));
}

TEST_F(Spool, ForgetsABatchThatWasStoredAfterAll) {
    append_batch const sent{new_uuid_v7(), 7, {click()}};
    ASSERT_TRUE(spool_->add({}, sent));
    ASSERT_TRUE(spool_->remove(number_of(sent)));
    EXPECT_FALSE(next());
    EXPECT_EQ(spool_->stats().clicks, 0u);
}

TEST_F(Spool, SendsABatchItselfWhoseSenderDied) {
    append_batch const sent{new_uuid_v7(), 7, {click()}};
    ASSERT_TRUE(spool_->add({}, sent));
    open();
    auto const given = next();
    ASSERT_TRUE(given);
    EXPECT_EQ(given->producer, sent.producer);
    EXPECT_EQ(given->sequence, 7);
}

TEST_F(Spool, RefusesWhatWouldMakeItLargerThanItMayBe) {
    open(4'000);
    std::size_t taken = 0;
    result<void> outcome = boost::outcome_v2::success();
    while ((outcome = spool_->add({click()})) && taken < 100) ++taken;
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, failure_code::queue_full);
    EXPECT_GT(taken, 5u);
    EXPECT_EQ(spool_->stats().clicks, taken);
    EXPECT_LE(spool_->stats().bytes, 4'000u);
    auto const batch = next();
    ASSERT_TRUE(spool_->remove(number_of(*batch)));
    EXPECT_TRUE(spool_->add({click()})) << "there is room again";
}

TEST_F(Spool, IsOneProcessesAtATime) {
    spool_options options;
    options.path = folder_.file("spool.db");
    auto const second = spool::open(options);
    ASSERT_TRUE(second);
    EXPECT_EQ(second.value(), nullptr);
}

TEST_F(Spool, KeepsItsClicksFromAnotherLog) {
    add(1);
    auto const refused = spool_->bind_history({new_uuid_v7(), 1, 0, {}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, failure_code::corrupted);
    EXPECT_THAT(refused.error().detail, testing::HasSubstr("another log"));
    EXPECT_EQ(spool_->stats().clicks, 1u);
}

TEST_F(Spool, NumbersAnewWhatALogThatLostItsEndRefuses) {
    add(1);
    auto const before = next();
    head_.epoch = 2;
    ASSERT_TRUE(spool_->bind_history(head_));
    EXPECT_EQ(next()->producer, before->producer) << "the log may have it";
    EXPECT_TRUE(spool_->refuse(number_of(*before)).value());
    auto const after = next();
    ASSERT_TRUE(after);
    EXPECT_NE(after->producer, before->producer);
    EXPECT_EQ(after->sequence, 1);
    EXPECT_EQ(ids_of(after->appends), ids_of(before->appends));
}

TEST_F(Spool, PassesOverWhatTheSameLogRefuses) {
    append_batch const sent{new_uuid_v7(), 7, {click()}};
    auto const later = click();
    ASSERT_TRUE(spool_->add({later}, sent));
    spool_->release(number_of(sent));
    EXPECT_EQ(ids_of(next()->appends), ids_of(sent.appends));
    EXPECT_FALSE(spool_->refuse(number_of(sent)).value());
    EXPECT_EQ(ids_of(next()->appends), ids_of({later})) << "what is behind it goes on";
    EXPECT_EQ(spool_->stats().clicks, 2u) << "and it stays";
    open();
    EXPECT_EQ(ids_of(next()->appends), ids_of(sent.appends));
}

TEST_F(Spool, GoesOnUnderAnotherProducerBehindWhatIsRefused) {
    add(5);
    auto const refused = next();
    EXPECT_FALSE(spool_->refuse(number_of(*refused)).value());
    auto const behind = next();
    EXPECT_NE(behind->producer, refused->producer) << "the log takes no second batch without the first";
    EXPECT_EQ(behind->sequence, 1);
    EXPECT_EQ(spool_->remove(number_of(*behind)).value(), 2u);
    EXPECT_FALSE(next());
}

TEST_F(Spool, TriesAgainWhatWasRefusedAWhileAgo) {
    spool_.reset();
    spool_options options;
    options.path = folder_.file("spool.db");
    options.refused_pause = std::chrono::milliseconds{0};
    spool_ = spool::open(options).value();
    ASSERT_TRUE(spool_->bind_history(head_));
    auto const clicks = add(1);
    auto const refused = next();
    EXPECT_FALSE(spool_->refuse(number_of(*refused)).value());
    auto const again = next();
    ASSERT_TRUE(again);
    EXPECT_EQ(number_of(*again), number_of(*refused));
}

TEST_F(Spool, IsReadableByItsOwnerAlone) {
    add(1);
    for (auto const* const end : {"", "-wal", "-shm"}) {
        struct stat status {};
        ASSERT_EQ(::stat((folder_.file("spool.db") + end).c_str(), &status), 0) << end;
        EXPECT_EQ(status.st_mode & 0777, 0600u) << end;
    }
}

TEST_F(Spool, KeepsKeysForAsLongAsClicksNeedThem) {
    stored_key const key{new_uuid_v7(), "clicks-a-2026-11-27", "wrapped"};
    ASSERT_TRUE(spool_->add_key(key));
    add(1);
    open();
    ASSERT_EQ(spool_->keys_beyond(0).size(), 1u);
    EXPECT_EQ(spool_->keys_beyond(0).front().subject, key.subject);
    EXPECT_THAT(spool_->keys_beyond(1), IsEmpty());
    auto const batch = next();
    ASSERT_TRUE(spool_->remove(number_of(*batch)));
    open();
    EXPECT_THAT(spool_->keys_beyond(0), IsEmpty());
}

TEST_F(Spool, ForgetsKeysThatTheLogHas) {
    for (int i = 0; i < 2; ++i)
        ASSERT_TRUE(spool_->add_key({new_uuid_v7(), "clicks-" + std::to_string(i), "w"}));
    ASSERT_TRUE(spool_->forget_keys(1));
    add(1);
    open();
    ASSERT_EQ(spool_->keys_beyond(0).size(), 1u);
    EXPECT_EQ(spool_->keys_beyond(0).front().subject, "clicks-1");
}

// ---- A disk that forgets what was not synced --------------------------------------------------------------

constexpr int cuts = 100;

/// A spool whose power is cut again and again, and what it said that it has.
class unlucky_spool {
public:
    explicit unlucky_spool(std::uint64_t seed) : random_(seed) {}

    lossy_vfs& disk() { return disk_; }

    void use_until_the_power_goes() {
        disk_.cut_power_after(std::uniform_int_distribution{0, 300}(random_), random_());
        if (auto const spool = open())
            while (use(*spool)) {
            }
        ASSERT_TRUE(disk_.power_is_cut());
        disk_.restore_power();
    }

    /// Clicks that were added, were not given up to be removed, and are not there.
    std::size_t missing() {
        auto const spool = open();
        if (!spool) return kept_.size() + 1;
        std::set<uuid> found;
        while (auto const batch = spool->next(as_it_is)) {
            if (!batch.value()) break;
            for (auto const& id : ids_of(batch.value()->appends)) found.insert(id);
            if (!spool->remove(number_of(*batch.value()))) break;
        }
        std::size_t lost = 0;
        for (auto const& id : kept_) lost += found.contains(id) ? 0 : 1;
        kept_.clear();
        return lost;
    }

private:
    static result<void> as_it_is(event_body&, bool) { return boost::outcome_v2::success(); }

    std::unique_ptr<spool> open() {
        spool_options options;
        options.path = folder_.file("spool.db");
        options.vfs = disk_.name();
        options.batch_appends_max = 8;
        auto opened = spool::open(options);
        if (!opened || !opened.value()->bind_history(head_)) return nullptr;
        return std::move(opened.value());
    }

    bool use(spool& on) {
        std::vector<append_request> clicks(std::uniform_int_distribution<std::size_t>{1, 6}(random_));
        for (auto& one : clicks) one = click();
        if (!on.add(clicks)) return false;
        for (auto const& id : ids_of(clicks)) kept_.insert(id);
        if (random_() % 3 != 0) return true;
        auto const batch = on.next(as_it_is);
        if (!batch || !batch.value()) return false;
        // From here on it may be gone.
        for (auto const& id : ids_of(batch.value()->appends)) kept_.erase(id);
        return on.remove(number_of(*batch.value())).has_value();
    }

    std::mt19937_64 random_;
    temp_folder folder_;
    lossy_vfs disk_{"lossy-spool"};
    log_head head_{new_uuid_v7(), 1, 0, {}};
    std::set<uuid> kept_;
};

TEST(SpoolPowerCut, LosesNothingThatItSaidItHas) {
    std::uint64_t const seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    unlucky_spool spool{seed};
    for (int cut = 0; cut < cuts; ++cut) {
        spool.use_until_the_power_goes();
        ASSERT_EQ(spool.missing(), 0u) << "after cut " << cut;
    }
}

// The canary: on a disk that lies something is lost.
TEST(SpoolPowerCut, LosesWhatADiskThatLiesDidNotSync) {
    std::uint64_t const seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    unlucky_spool spool{seed};
    spool.disk().ignore_syncs();
    std::size_t lost = 0;
    for (int cut = 0; cut < cuts && lost == 0; ++cut) {
        spool.use_until_the_power_goes();
        lost = spool.missing();
    }
    EXPECT_GT(lost, 0u);
}

}  // namespace
}  // namespace linkledger::eventlog
