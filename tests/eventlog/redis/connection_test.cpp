// Redis as we talk to it, against a real server.

#include "eventlog/redis/client.h"
#include "tests/support/redis_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace linkledger::redis {
namespace {

using namespace std::chrono_literals;
using test::redis_server;

TEST(RedisUrl, NamesHostPortDatabaseAndPassword) {
    auto const plain = parse_url("redis://cache.example");
    EXPECT_EQ(plain.host, "cache.example");
    EXPECT_EQ(plain.port, 6379);
    EXPECT_EQ(plain.database, 0);
    EXPECT_EQ(plain.password, "");
    auto const full = parse_url("redis://app:p%40ss%2F@10.0.0.1:6400/7");
    EXPECT_EQ(full.user, "app");
    EXPECT_EQ(full.password, "p@ss/");
    EXPECT_EQ(full.port, 6400);
    EXPECT_EQ(full.database, 7);
    EXPECT_EQ(to_string(full), "10.0.0.1:6400/7");
    EXPECT_EQ(parse_url("redis://:secret@[::1]:6400").host, "::1");
}

TEST(RedisUrl, IsRefusedWithoutShowingIt) {
    for (auto const* const url :
         {"", "http://x", "redis://", "redis://:pw@", "redis://h:0", "redis://h:66000", "redis://h:x",
          "redis://h/x", "redis://:%zz@h", "redis://[::1", "rediss://:pw@h"}) {
        try {
            (void)parse_url(url);
            ADD_FAILURE() << url;
        } catch (std::invalid_argument const& refused) {
            EXPECT_THAT(refused.what(), testing::HasSubstr("redis://"));
            EXPECT_THAT(refused.what(), testing::Not(testing::HasSubstr("pw"))) << url;
        }
    }
}

TEST(RedisConnection, CarriesAnyBytesAndPipelines) {
    redis_server server;
    connection on{server.options()};
    std::string const odd{"a\0b\r\n", 5};
    EXPECT_EQ(on.call({"SET", odd, odd}).text(), "OK");
    auto const answers = on.pipeline({{"GET", odd}, {"INCR", "n"}, {"GET", "nothing"}, {"KEYS", "*"}});
    EXPECT_EQ(answers.at(0).text(), odd);
    EXPECT_EQ(answers.at(1).integer(), 1);
    EXPECT_TRUE(answers.at(2).is_null());
    EXPECT_EQ(answers.at(3).list().size(), 2u);
}

TEST(RedisConnection, SaysWhatRedisRefusedAndGoesOn) {
    redis_server server;
    connection on{server.options()};
    on.call({"SET", "text", "x"});
    try {
        on.pipeline({{"INCR", "text"}, {"SET", "after", "1"}});
        ADD_FAILURE();
    } catch (error const& refused) {
        EXPECT_EQ(refused.what_kind(), error::kind::refused);
    }
    EXPECT_EQ(on.call({"GET", "after"}).text(), "1");
}

TEST(RedisConnection, NeedsTheRightPassword) {
    redis_server server{"swordfish"};
    EXPECT_EQ(connection{server.options()}.call({"PING"}).text(), "PONG");
    auto wrong = server.options();
    wrong.where.password = "carpfish";
    try {
        connection{wrong}.call({"PING"});
        ADD_FAILURE();
    } catch (error const& refused) {
        EXPECT_EQ(refused.what_kind(), error::kind::refused);
        EXPECT_THAT(refused.what(), testing::Not(testing::HasSubstr("carpfish")));
    }
}

TEST(RedisConnection, DoesNotWaitForAServerThatHasStopped) {
    redis_server server;
    auto options = server.options();
    options.call_timeout = 50ms;
    connection on{options};
    server.pause();
    EXPECT_THROW(on.call({"PING"}), error);
    server.resume();
    EXPECT_THROW(on.call({"PING"}), error) << "a late answer must not be taken for another one's";
    EXPECT_EQ(connection{server.options()}.call({"PING"}).text(), "PONG");
}

TEST(RedisClient, FailsAtOnceWhileRedisIsAwayAndFindsItAgain) {
    redis_server server;
    std::atomic<int> ups{0}, downs{0};
    client_options options;
    options.connect = server.options();
    options.check_pause = 20ms;
    options.note = [&](bool up, std::string const&) { ++(up ? ups : downs); };
    client redis{options};
    EXPECT_TRUE(redis.up());
    std::string pong;
    redis.run([&](connection& on) { pong = on.call({"PING"}).text(); });
    EXPECT_EQ(pong, "PONG");
    server.kill9();
    EXPECT_THROW(redis.run([](connection& on) { on.call({"PING"}); }), error);
    EXPECT_FALSE(redis.up());
    EXPECT_NE(redis.stats().problem, "");
    server.start();
    for (auto const until = std::chrono::steady_clock::now() + 20s;
         !redis.up() && std::chrono::steady_clock::now() < until;)
        std::this_thread::sleep_for(5ms);
    EXPECT_TRUE(redis.up());
    redis.run([&](connection& on) { pong = on.call({"ECHO", "again"}).text(); });
    EXPECT_EQ(pong, "again");
    EXPECT_EQ(ups, 2);
    EXPECT_EQ(downs, 1);
}

}  // namespace
}  // namespace linkledger::redis
