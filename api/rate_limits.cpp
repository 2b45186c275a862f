#include "api/rate_limits.h"

#include "api/exchange.h"
#include "api/problem.h"
#include "domain/api_key/api_key.h"

#include <algorithm>

namespace linkledger::api {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds exchange_pause{100};
constexpr std::size_t buckets_per_shard_max = 16'384;
constexpr std::size_t exchanged_at_once = 1'000;

/// Adds to a window's count and begins one where there is none; answers the count and the time left (ms).
constexpr char const* add_to_window = R"(
local count = redis.call('INCRBY', KEYS[1], ARGV[1])
if count == tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return {count, redis.call('PTTL', KEYS[1])}
)";

std::int64_t seconds_until(rate_limits::clock::time_point end, rate_limits::clock::time_point now) {
    auto const left = std::chrono::duration_cast<milliseconds>(end - now).count();
    return std::max<std::int64_t>(1, (left + 999) / 1'000);
}

}  // namespace

rate_limits::rate_limits(rate_limit_options const& how, redis::client* shared,
                         std::function<clock::time_point()> now)
    : options_(how), shared_(shared), now_(std::move(now)) {
    if (shared_ != nullptr) thread_ = std::thread{[this] { run(); }};
}

rate_limits::~rate_limits() {
    {
        std::lock_guard const lock{mutex_};
        stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

rate_verdict rate_limits::count_key(std::string_view api_key_prefix) {
    if (options_.key_max == 0) return {};
    return count("rate:api:" + std::string{api_key_prefix}, options_.key_max);
}

rate_verdict rate_limits::count_open(std::string_view address, std::string_view what) {
    if (options_.open_max == 0) return {};
    return count("rate:" + std::string{address} + ":" + std::string{what}, options_.open_max);
}

rate_verdict rate_limits::count_secret(std::string_view address, std::string_view what) {
    if (options_.secret_max == 0) return {};
    return count("rate:" + std::string{address} + ":" + std::string{what}, options_.secret_max);
}

rate_verdict rate_limits::count_redirect(std::string_view address) {
    if (options_.redirect_max == 0) return {};
    return count("rate:" + std::string{address} + ":redirect", options_.redirect_max);
}

rate_stats rate_limits::stats() const {
    rate_stats all;
    for (auto const& each : shards_) {
        std::lock_guard const lock{each.mutex};
        all.counted += each.buckets.size();
    }
    all.refused = refused_.load(std::memory_order_relaxed);
    return all;
}

rate_limits::shard& rate_limits::shard_of(std::string const& key) {
    return shards_[std::hash<std::string>{}(key) % shard_count];
}

rate_verdict rate_limits::count(std::string key, std::int64_t limit) {
    auto const now = now_();
    auto& in = shard_of(key);
    std::lock_guard const lock{in.mutex};
    auto found = in.buckets.find(key);
    if (found == in.buckets.end()) {
        // So many addresses at once that no more can be told apart: let them in.
        if (!make_room(in, now)) return {};
        found = in.buckets.emplace(std::move(key), bucket{}).first;
    }
    auto& known = found->second;
    if (now >= known.ends) known = {now + window, 0, 0};
    rate_verdict verdict;
    verdict.limit = limit;
    verdict.reset_s = seconds_until(known.ends, now);
    verdict.allowed = known.total + known.pending < limit;
    if (verdict.allowed)
        ++known.pending;
    else
        refused_.fetch_add(1, std::memory_order_relaxed);
    verdict.remaining = std::max<std::int64_t>(0, limit - known.total - known.pending);
    return verdict;
}

/// Forgets windows that have ended, each time that twice as many are there as were left before; once a second
/// where that leaves no room.
bool rate_limits::make_room(shard& in, clock::time_point at) {
    if (in.buckets.size() < in.sweep_at) return true;
    if (at < in.full_until) return false;
    std::erase_if(in.buckets, [&](auto const& each) { return at >= each.second.ends; });
    in.sweep_at = std::clamp<std::size_t>(in.buckets.size() * 2, 1'024, buckets_per_shard_max);
    bool const has_room = in.buckets.size() < buckets_per_shard_max;
    if (!has_room) in.full_until = at + std::chrono::seconds{1};
    return has_room;
}

// ---- Counting together ------------------------------------------------------------------------------------

void rate_limits::run() {
    std::unique_lock lock{mutex_};
    while (!changed_.wait_for(lock, exchange_pause, [this] { return stopping_; })) {
        lock.unlock();
        if (shared_->up()) {
            try {
                exchange_counts(take_pending());
            } catch (redis::error const&) {
                // What was taken stays counted here; others hear of it no more.
            }
        }
        lock.lock();
    }
}

std::vector<rate_limits::told> rate_limits::take_pending() {
    std::vector<told> those;
    for (auto& each : shards_) {
        std::lock_guard const lock{each.mutex};
        for (auto& [key, known] : each.buckets) {
            if (known.pending == 0) continue;
            those.push_back({key, known.pending});
            known.total += std::exchange(known.pending, 0);
        }
    }
    return those;
}

void rate_limits::exchange_counts(std::vector<told> const& those) {
    for (std::size_t begin = 0; begin < those.size(); begin += exchanged_at_once) {
        auto const end = std::min(those.size(), begin + exchanged_at_once);
        std::vector<redis::words> commands;
        for (auto i = begin; i < end; ++i)
            commands.push_back({"EVAL", add_to_window, "1", those[i].key, std::to_string(those[i].count),
                                std::to_string(milliseconds{window}.count())});
        std::vector<redis::reply> answers;
        shared_->run([&](redis::connection& on) { answers = on.pipeline(commands); });
        auto const now = now_();
        for (auto i = begin; i < end; ++i) {
            auto const& answer = answers[i - begin].list();
            auto& in = shard_of(those[i].key);
            std::lock_guard const lock{in.mutex};
            auto const found = in.buckets.find(those[i].key);
            if (found == in.buckets.end()) continue;
            found->second.total = answer.at(0).integer();
            auto const left =
                std::clamp<std::int64_t>(answer.at(1).integer(), 0, milliseconds{window}.count());
            found->second.ends = now + milliseconds{left};
        }
    }
}

// ---- Requests ---------------------------------------------------------------------------------------------

namespace {

[[nodiscard]] bool admit(exchange& x, rate_verdict const& verdict) {
    if (verdict.limit == 0) return true;
    x.rate = verdict;
    if (!verdict.allowed) send_too_many(x.to, verdict);
    return verdict.allowed;
}

}  // namespace

bool admit_key(exchange& x) {
    auto const prefix = x.credential.substr(0, domain::api_key::prefix_characters);
    return admit(x, x.shared.limits.count_key(prefix));
}

bool admit_open(exchange& x, std::string_view what) {
    return admit(x, x.shared.limits.count_open(x.client_address, what));
}

bool admit_secret(exchange& x, std::string_view what) {
    return admit(x, x.shared.limits.count_secret(x.client_address, what));
}

void add_rate_headers(response& to, rate_verdict const& verdict) {
    auto const limit = std::to_string(verdict.limit);
    to.add_header("RateLimit-Policy", limit + ";w=" + std::to_string(rate_limits::window.count()));
    to.add_header("RateLimit-Limit", limit);
    to.add_header("RateLimit-Remaining", std::to_string(verdict.remaining));
    to.add_header("RateLimit-Reset", std::to_string(verdict.reset_s));
}

void send_too_many(response& to, rate_verdict const& verdict) {
    problem const what{429,
                       "rate_limited",
                       std::to_string(verdict.limit) + " requests a minute are allowed here.",
                       {},
                       static_cast<int>(verdict.reset_s)};
    send(to, what);
}

}  // namespace linkledger::api
