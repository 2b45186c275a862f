// Limits: how requests are counted, alone and together, and what a client is told.

#include "api/rate_limits.h"
#include "tests/api/service.h"
#include "tests/support/redis_server.h"

namespace linkledger::tests {
namespace {

using namespace std::chrono_literals;
using api::rate_limit_options;
using api::rate_limits;

/// A clock that the test moves.
struct moved_clock {
    std::atomic<std::int64_t> seconds = 1'000;
    [[nodiscard]] std::function<rate_limits::clock::time_point()> now() {
        return [this] { return rate_limits::clock::time_point{std::chrono::seconds{seconds.load()}}; };
    }
};

rate_limit_options three_of_each() {
    return {3, 3, 3, 3};
}

TEST(RateLimits, AllowSoManyInAWindowThatBeginsWithTheFirst) {
    moved_clock time;
    rate_limits limits{three_of_each(), nullptr, time.now()};
    for (int left = 2; left >= 0; --left) {
        auto const verdict = limits.count_key("ll_abcdefghi");
        EXPECT_TRUE(verdict.allowed);
        EXPECT_EQ(verdict.limit, 3);
        EXPECT_EQ(verdict.remaining, left);
        EXPECT_EQ(verdict.reset_s, 60);
    }
    time.seconds += 59;
    auto const refused = limits.count_key("ll_abcdefghi");
    EXPECT_FALSE(refused.allowed);
    EXPECT_EQ(refused.remaining, 0);
    EXPECT_EQ(refused.reset_s, 1);
    EXPECT_EQ(limits.stats().refused, 1u);
    time.seconds += 1;
    EXPECT_TRUE(limits.count_key("ll_abcdefghi").allowed);
}

TEST(RateLimits, CountEachKeyAddressAndEndpointApart) {
    rate_limits limits{{1, 1, 1, 1}, nullptr};
    EXPECT_TRUE(limits.count_key("a").allowed);
    EXPECT_TRUE(limits.count_key("b").allowed);
    EXPECT_TRUE(limits.count_open("192.0.2.1", "/docs").allowed);
    EXPECT_TRUE(limits.count_open("192.0.2.1", "/openapi.json").allowed);
    EXPECT_TRUE(limits.count_secret("192.0.2.1", "password").allowed);
    EXPECT_TRUE(limits.count_redirect("192.0.2.1").allowed);
    EXPECT_TRUE(limits.count_redirect("192.0.2.2").allowed);
    EXPECT_FALSE(limits.count_redirect("192.0.2.2").allowed);
    EXPECT_FALSE(limits.count_key("a").allowed);
}

TEST(RateLimits, OfZeroDoNotCount) {
    rate_limits limits{{0, 0, 0, 0}, nullptr};
    EXPECT_EQ(limits.count_key("a").limit, 0);
    EXPECT_EQ(limits.count_open("a", "b").limit, 0);
    EXPECT_EQ(limits.count_secret("a", "b").limit, 0);
    EXPECT_FALSE(limits.limits_redirects());
    EXPECT_EQ(limits.stats().counted, 0u);
}

TEST(RateLimits, RememberBoundedlyManyAddresses) {
    moved_clock time;
    rate_limits limits{three_of_each(), nullptr, time.now()};
    for (int i = 0; i < 400'000; ++i) EXPECT_TRUE(limits.count_redirect(std::to_string(i)).allowed);
    EXPECT_LE(limits.stats().counted, 16u * 16'384u);
    time.seconds += 61;
    EXPECT_EQ(limits.count_redirect("new").limit, 3);
    for (int i = 0; i < 1'000; ++i) (void)limits.count_redirect("later " + std::to_string(i));
    EXPECT_LE(limits.stats().counted, 1'100u);
}

redis::client_options client_options_of(test::redis_server const& server) {
    redis::client_options options;
    options.connect = server.options();
    options.check_pause = 20ms;
    return options;
}

TEST(RateLimits, AreSharedThroughRedisWithoutWaitingForIt) {
    test::redis_server server;
    redis::client redis{client_options_of(server)};
    rate_limits first{three_of_each(), &redis};
    rate_limits second{three_of_each(), &redis};
    EXPECT_TRUE(first.count_key("shared").allowed);
    EXPECT_TRUE(first.count_key("shared").allowed);
    EXPECT_TRUE(second.count_key("shared").allowed);
    EXPECT_TRUE(comes_true([&] { return server.call({"GET", "rate:api:shared"}).text_or_empty() == "3"; }));
    EXPECT_TRUE(comes_true([&] { return !first.count_key("shared").allowed; }));
    EXPECT_TRUE(comes_true([&] { return !second.count_key("shared").allowed; }));
    auto const left = server.call({"TTL", "rate:api:shared"}).integer();
    EXPECT_GT(left, 0);
    EXPECT_LE(left, 60);
    server.kill9();
    EXPECT_TRUE(comes_true([&] { return !redis.up(); }));
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(first.count_secret("192.0.2.1", "password").allowed);
    EXPECT_FALSE(first.count_secret("192.0.2.1", "password").allowed);
}

api::application_options limited() {
    api::application_options options;
    options.rates = {20, 4, 2, 2};
    return options;
}

class LimitedEndpoint : public ServiceTest {
protected:
    LimitedEndpoint() : ServiceTest(limited()) {}
};

TEST_F(LimitedEndpoint, TellsAKeyWhatIsLeftAndThenRefuses) {
    auto const first = get("/v1/workspaces");
    EXPECT_EQ(first.header("ratelimit-limit"), "20");
    EXPECT_EQ(first.header("ratelimit-policy"), "20;w=60");
    EXPECT_FALSE(first.header("ratelimit-reset").empty());
    auto const left = std::stoi(first.header("ratelimit-remaining"));
    ASSERT_LT(left, 20);
    for (int i = 0; i < left; ++i) EXPECT_NE(get("/v1/workspaces").status, 429);
    auto const refused = get("/v1/workspaces");
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(problem_code(refused), "rate_limited");
    EXPECT_EQ(refused.header("ratelimit-remaining"), "0");
    EXPECT_EQ(refused.header("retry-after"), refused.header("ratelimit-reset"));
    EXPECT_EQ(command("CreateWorkspace", {{"name", "B"}, {"slug", "b"}}).status, 429);
    EXPECT_EQ(visitor.get("/v1/workspaces").status, 401) << "without a key nothing is counted";
}

TEST_F(LimitedEndpoint, SlowsDownWhoGuessesSecrets) {
    auto const guess = [&] {
        return visitor.post("/v1/commands/AcceptInvitation",
                            R"({"token": "0123456789012345678901234567890x", "name": "Eve"})");
    };
    EXPECT_NE(guess().status, 429);
    EXPECT_NE(guess().status, 429);
    auto const refused = guess();
    EXPECT_EQ(refused.status, 429);
    EXPECT_FALSE(refused.header("retry-after").empty());
    make_link({{"short_code", "locked"}, {"password", "right"}});
    auto const open = [&](std::string const& with) {
        return visitor.post("/locked", "password=" + with,
                            {{"Content-Type", "application/x-www-form-urlencoded"}});
    };
    EXPECT_EQ(open("wrong").status, 401);
    EXPECT_EQ(open("wrong").status, 401);
    EXPECT_EQ(open("right").status, 429);
}

TEST_F(LimitedEndpoint, LimitsRedirectsWhereThatIsWanted) {
    make_link({{"short_code", "often"}});
    EXPECT_EQ(visitor.get("/often").status, 302);
    EXPECT_EQ(visitor.get("/often").status, 302);
    auto const refused = visitor.get("/often");
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.header("ratelimit-limit"), "2");
    for (int i = 0; i < 4; ++i) EXPECT_EQ(visitor.get("/docs").status, 200);
    EXPECT_EQ(visitor.get("/docs").status, 429);
}

class UnlimitedRedirect : public ServiceTest {};

TEST_F(UnlimitedRedirect, IsWhatThereIsByDefault) {
    make_link({{"short_code", "free"}});
    for (int i = 0; i < 2'000; ++i) ASSERT_EQ(visitor.get("/free").status, 302);
}

}  // namespace
}  // namespace linkledger::tests
