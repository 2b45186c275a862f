// Reading by position and by stream, waiting for more, and keys.
#include "eventlog/crypto.h"
#include "tests/conformance/log_conformance.h"

#include <atomic>
#include <thread>

namespace linkledger::test {
namespace {

using namespace eventlog;
using testing::ElementsAre;
using testing::IsEmpty;

/// Ten events: types and workspaces vary by position, streams are a and b in turn.
///   position   1  2  3  4  5  6  7  8  9  10
///   type       x  y  z  x  y  z  x  y  z  x
///   workspace  -  1  2  -  1  2  -  1  2  -
///   stream     a  b  a  b  a  b  a  b  a  b
class ten_events {
public:
    uuid one = new_uuid_v7();
    uuid two = new_uuid_v7();

    [[nodiscard]] std::vector<append_request> appends(
        std::function<event_body(std::string)> const& make) const {
        std::vector<append_request> all;
        for (int i = 0; i < 10; ++i) {
            event_body body = make(std::string(1, "xyz"[i % 3]));
            body.workspace_id = i % 3 == 0 ? uuid{} : (i % 3 == 1 ? one : two);
            append_request request;
            request.streams.push_back({i % 2 == 0 ? "a" : "b", expected_version::any(), {body}});
            all.push_back(std::move(request));
        }
        return all;
    }
};

#define COMMIT_TEN_EVENTS() \
    ten_events const ten;   \
    commit(ten.appends([](std::string type) { return event(std::move(type)); }))

TEST_P(LogReads, GoOnFromAPosition) {
    COMMIT_TEN_EVENTS();
    EXPECT_THAT(positions({.after = 0}), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
    EXPECT_THAT(positions({.after = 7}), ElementsAre(8, 9, 10));
    EXPECT_THAT(positions({.after = 10}), IsEmpty());
    EXPECT_THAT(positions({.after = 3, .until = 5}), ElementsAre(4, 5));
    EXPECT_THAT(positions({.after = 5, .until = 5}), IsEmpty());
    EXPECT_THAT(positions({.after = 3, .limit = 2}), ElementsAre(4, 5));
}

TEST_P(LogReads, NarrowByTypeWorkspaceAndStream) {
    COMMIT_TEN_EVENTS();
    EXPECT_THAT(positions({.types = {"y"}}), ElementsAre(2, 5, 8));
    EXPECT_THAT(positions({.types = {"z", "y", "unknown"}}), ElementsAre(2, 3, 5, 6, 8, 9));
    EXPECT_THAT(positions({.types = {"unknown"}}), IsEmpty());
    EXPECT_THAT(positions({.excluded_types = {"x", "z"}}), ElementsAre(2, 5, 8));
    EXPECT_THAT(positions({.types = {"x", "y"}, .excluded_types = {"x"}}), ElementsAre(2, 5, 8));
    EXPECT_THAT(positions({.workspace_id = ten.two}), ElementsAre(3, 6, 9));
    EXPECT_THAT(positions({.workspace_id = new_uuid_v7()}), IsEmpty());
    EXPECT_THAT(positions({.limit = 4, .workspace_id = uuid{}}), ElementsAre(1, 2, 3, 4));
    EXPECT_THAT(positions({.stream = "b"}), ElementsAre(2, 4, 6, 8, 10));
    EXPECT_THAT(positions({.stream = "unknown"}), IsEmpty());
    EXPECT_THAT(positions({.after = 2, .until = 9, .limit = 2, .types = {"x", "z"}, .stream = "a"}),
                ElementsAre(3, 7));
    EXPECT_THAT(positions({.types = {"y"}, .workspace_id = ten.one, .stream = "b"}), ElementsAre(2, 8));
}

TEST_P(LogReads, SayHowFarTheySearched) {
    COMMIT_TEN_EVENTS();
    EXPECT_EQ(page({}).scanned_to, 10);
    EXPECT_EQ(page({.types = {"y"}}).scanned_to, 10) << "the head, beyond the last match";
    EXPECT_EQ(page({.types = {"unknown"}}).scanned_to, 10);
    EXPECT_EQ(page({.types = {"unknown"}, .stream = "nothing"}).scanned_to, 10);
    EXPECT_EQ(page({.until = 6, .types = {"y"}}).scanned_to, 6) << "`until`, where it is less";
    EXPECT_EQ(page({.limit = 2, .types = {"y"}}).scanned_to, 5) << "the last event of a full page";
    EXPECT_EQ(page({.after = 5, .limit = 1, .types = {"y"}}).scanned_to, 8);
    EXPECT_EQ(page({.limit = 3, .types = {"y"}}).scanned_to, 8);
    EXPECT_EQ(page({.limit = 4, .types = {"y"}}).scanned_to, 10);
    EXPECT_EQ(page({.after = 10}).scanned_to, 10);
    EXPECT_EQ(page({.limit = 10}).scanned_to, 10);
}

TEST_P(LogReads, OfAnEmptyLogFindNothing) {
    EXPECT_THAT(page({}).events, IsEmpty());
    EXPECT_EQ(page({}).scanned_to, 0);
    EXPECT_THAT(log().read_stream("a", 0, 10).value(), IsEmpty());
}

TEST_P(LogReads, FollowTheLogPageByPage) {
    COMMIT_TEN_EVENTS();
    std::vector<position> seen;
    position after = 0;
    while (after < 10) {
        read_page const next = page({.after = after, .limit = 3, .excluded_types = {"y"}});
        for (recorded_event const& event : next.events) seen.push_back(event.position);
        ASSERT_GT(next.scanned_to, after);
        after = next.scanned_to;
    }
    EXPECT_THAT(seen, ElementsAre(1, 3, 4, 6, 7, 9, 10));
}

TEST_P(LogReads, OfAStreamComeOldestFirst) {
    COMMIT_TEN_EVENTS();
    auto const versions = [&](version after, std::size_t limit) {
        std::vector<std::pair<position, version>> found;
        auto const events = log().read_stream("b", after, limit).value();
        for (recorded_event const& event : events) {
            EXPECT_EQ(event.stream, "b");
            found.emplace_back(event.position, event.version);
        }
        return found;
    };
    EXPECT_THAT(versions(0, 100), ElementsAre(std::pair{2, 1}, std::pair{4, 2}, std::pair{6, 3},
                                              std::pair{8, 4}, std::pair{10, 5}));
    EXPECT_THAT(versions(2, 2), ElementsAre(std::pair{6, 3}, std::pair{8, 4}));
    EXPECT_THAT(versions(5, 2), IsEmpty());
}

TEST_P(LogReads, OfLeafHashesGiveThemInOrderOfPosition) {
    COMMIT_TEN_EVENTS();
    std::vector<digest> all;
    for (recorded_event const& event : everything()) all.push_back(event.leaf_hash);
    ASSERT_EQ(all.size(), 10);
    EXPECT_EQ(log().read_leaf_hashes(0, 100).value(), all);
    EXPECT_EQ(log().read_leaf_hashes(3, 4).value(), (std::vector<digest>{all.begin() + 3, all.begin() + 7}));
    EXPECT_EQ(log().read_leaf_hashes(9, 4).value(), (std::vector<digest>{all.back()}));
    EXPECT_THAT(log().read_leaf_hashes(10, 4).value(), IsEmpty());
}

TEST_P(LogReads, WaitForTheNextEvent) {
    commit_one(to_stream("a"));
    EXPECT_TRUE(log().wait_beyond(0, std::chrono::milliseconds{0}));
    EXPECT_FALSE(log().wait_beyond(1, std::chrono::milliseconds{20}));

    std::atomic<bool> woken = false;
    std::thread waiter{[&] { woken = log().wait_beyond(1, std::chrono::seconds{30}); }};
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
    commit_one(to_stream("a"));
    waiter.join();
    EXPECT_TRUE(woken);
}

// ---- Keys
// ---------------------------------------------------------------------------------------------------

stored_key key_for(std::string subject) {
    return {new_uuid_v7(), std::move(subject), std::string{"wrapped\0\xff", 9} + random_bytes(16)};
}
void expect_found(result<std::optional<stored_key>> const& found, stored_key const& key) {
    ASSERT_TRUE(found);
    ASSERT_TRUE(found.value());
    EXPECT_EQ(found.value()->key_id, key.key_id);
    EXPECT_EQ(found.value()->subject, key.subject);
    EXPECT_EQ(found.value()->wrapped, key.wrapped);
}

TEST_P(LogKeys, AreFoundBySubjectAndById) {
    stored_key const key = key_for("person-1");
    EXPECT_FALSE(log().find_key("person-1").value());
    EXPECT_FALSE(log().find_key(key.key_id).value());
    EXPECT_EQ(log().add_key(key).value().key_id, key.key_id);
    expect_found(log().find_key("person-1"), key);
    expect_found(log().find_key(key.key_id), key);
    reopen();
    expect_found(log().find_key("person-1"), key);
    expect_found(log().find_key(key.key_id), key);
    EXPECT_FALSE(log().find_key("person-2").value());
}

TEST_P(LogKeys, AreOneForASubjectTheFirst) {
    stored_key const first = key_for("person-1");
    stored_key const second = key_for("person-1");
    ASSERT_TRUE(log().add_key(first));
    stored_key const kept = log().add_key(second).value();
    EXPECT_EQ(kept.key_id, first.key_id);
    EXPECT_EQ(kept.wrapped, first.wrapped);
    EXPECT_EQ(kept.subject, "person-1");
    EXPECT_FALSE(log().find_key(second.key_id).value());
}

TEST_P(LogKeys, AreGoneForGoodWhenDestroyed) {
    stored_key const key = key_for("person-1");
    ASSERT_TRUE(log().add_key(key));
    EXPECT_TRUE(log().destroy_key(key.key_id));
    EXPECT_TRUE(log().destroy_key(key.key_id)) << "a second time changes nothing";
    EXPECT_TRUE(log().destroy_key(new_uuid_v7())) << "nor does an unknown one";
    EXPECT_FALSE(log().find_key("person-1").value());
    EXPECT_FALSE(log().find_key(key.key_id).value());

    stored_key const next = key_for("person-1");
    EXPECT_EQ(log().add_key(next).value().key_id, next.key_id);
    reopen();
    expect_found(log().find_key("person-1"), next);
    EXPECT_FALSE(log().find_key(key.key_id).value());
}

TEST_P(LogKeys, AreListedByPrefixInOrderWhileTheyLive) {
    for (char const* subject : {"clicks-b-2", "clicks-a-1", "clicks-b-1", "clicksx", "person-1"})
        ASSERT_TRUE(log().add_key(key_for(subject)));
    auto const subjects = [&](std::string const& prefix, std::string const& after, std::size_t limit) {
        std::vector<std::string> found;
        auto const keys = log().list_keys(prefix, after, limit).value();
        for (auto const& key : keys) found.push_back(key.subject);
        return found;
    };
    using list = std::vector<std::string>;
    EXPECT_EQ(subjects("clicks-", "", 10), (list{"clicks-a-1", "clicks-b-1", "clicks-b-2"}));
    EXPECT_EQ(subjects("clicks-", "clicks-a-1", 1), (list{"clicks-b-1"}));
    EXPECT_EQ(subjects("clicks-b-", "", 10), (list{"clicks-b-1", "clicks-b-2"}));
    ASSERT_TRUE(log().destroy_key(log().find_key("clicks-b-1").value()->key_id));
    EXPECT_EQ(subjects("clicks-b-", "", 10), (list{"clicks-b-2"}));
}

}  // namespace
}  // namespace linkledger::test
