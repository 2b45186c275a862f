#pragma once
// How many requests a key or an address may send in a minute. Counted in this process, so that no request
// waits for anything, and told to Redis ten times a second, so that several processes count together.

#include "eventlog/redis/client.h"

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

namespace linkledger::api {

class exchange;
class response;

/// Requests a minute; 0: as many as you like.
struct rate_limit_options {
    std::int64_t key_max = 600'000;   ///< Of an API key, over all endpoints.
    std::int64_t open_max = 600'000;  ///< Of an address, per endpoint that needs no key.
    std::int64_t secret_max = 60;     ///< Of an address, where a secret can be guessed: tokens, passwords.
    std::int64_t redirect_max = 0;    ///< Of an address, over all links.
};

/// What became of a request.
struct rate_verdict {
    bool allowed = true;
    std::int64_t limit = 0;  ///< 0: there is none, and the rest means nothing.
    std::int64_t remaining = 0;
    std::int64_t reset_s = 0;  ///< Until the window ends.
};

struct rate_stats {
    std::size_t counted = 0;  ///< Keys and addresses that are known now.
    std::uint64_t refused = 0;
};

/// Safe to call from any thread. A window of 60 s begins with the first request; one that is refused does not
/// count. With Redis away each process counts for itself.
class rate_limits {
public:
    static constexpr std::chrono::seconds window{60};

    using clock = std::chrono::steady_clock;

    /// `shared` may be null, or must outlive it. `now` is the time, for tests.
    rate_limits(rate_limit_options const& how, redis::client* shared,
                std::function<clock::time_point()> now = clock::now);
    ~rate_limits();
    rate_limits(rate_limits const&) = delete;
    rate_limits& operator=(rate_limits const&) = delete;

    /// `rate:api:<prefix>`
    [[nodiscard]] rate_verdict count_key(std::string_view api_key_prefix);
    /// `rate:<address>:<what>`
    [[nodiscard]] rate_verdict count_open(std::string_view address, std::string_view what);
    [[nodiscard]] rate_verdict count_secret(std::string_view address, std::string_view what);
    [[nodiscard]] rate_verdict count_redirect(std::string_view address);
    [[nodiscard]] bool limits_redirects() const { return options_.redirect_max > 0; }

    [[nodiscard]] rate_stats stats() const;

private:
    struct bucket {
        clock::time_point ends{};
        std::int64_t total = 0;    ///< Of all processes, as last heard, and what was told since.
        std::int64_t pending = 0;  ///< Of this process, not told yet.
    };
    struct shard {
        mutable std::mutex mutex;
        std::unordered_map<std::string, bucket> buckets;
        std::size_t sweep_at = 1'024;
        clock::time_point full_until{};  ///< Nothing was to be swept; look again later.
    };
    struct told {
        std::string key;
        std::int64_t count = 0;
    };
    static constexpr std::size_t shard_count = 16;

    [[nodiscard]] rate_verdict count(std::string key, std::int64_t limit);
    [[nodiscard]] shard& shard_of(std::string const& key);
    [[nodiscard]] bool make_room(shard& in, clock::time_point at);
    void run();
    [[nodiscard]] std::vector<told> take_pending();
    void exchange_counts(std::vector<told> const& those);

    rate_limit_options options_;
    redis::client* shared_;
    std::function<clock::time_point()> now_;
    std::array<shard, shard_count> shards_;
    std::atomic<std::uint64_t> refused_{0};
    std::mutex mutex_;
    std::condition_variable changed_;
    bool stopping_ = false;
    std::thread thread_;
};

/// The request counts against its key. False: refused with 429, and answered.
[[nodiscard]] bool admit_key(exchange& x);
/// The same against its address, for `what`.
[[nodiscard]] bool admit_open(exchange& x, std::string_view what);
[[nodiscard]] bool admit_secret(exchange& x, std::string_view what);

/// RateLimit-Policy, -Limit, -Remaining and -Reset (draft-ietf-httpapi-ratelimit-headers-06).
void add_rate_headers(response& to, rate_verdict const& verdict);
void send_too_many(response& to, rate_verdict const& verdict);

}  // namespace linkledger::api
