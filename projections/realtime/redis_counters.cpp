#include "projections/realtime/redis_counters.h"

#include "projections/realtime/redis_guard.h"

namespace linkledger::projections::realtime {
namespace {

/// KEYS: the guard, then count and window of each counter. ARGV: the guard as it must be, the guard as it
/// becomes, then count, window and expiry (Unix time in milliseconds) of each. Answers the guard as it is.
constexpr char const* set_counters = R"(
local guard = redis.call('GET', KEYS[1]) or ''
if guard ~= ARGV[1] then return guard end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local at = 3
for i = 2, #KEYS, 2 do
    if tonumber(ARGV[at + 2]) <= now then
        redis.call('UNLINK', KEYS[i], KEYS[i + 1])
    else
        redis.call('SET', KEYS[i], ARGV[at], 'PXAT', ARGV[at + 2])
        redis.call('SET', KEYS[i + 1], ARGV[at + 1], 'PXAT', ARGV[at + 2])
    end
    at = at + 3
end
if ARGV[2] ~= guard then redis.call('SET', KEYS[1], ARGV[2]) end
return ARGV[2]
)";

/// KEYS: the guard, then keys to remove. ARGV: the guard as it must be.
constexpr char const* remove_keys = R"(
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
for i = 2, #KEYS do
    if KEYS[i] ~= KEYS[1] then redis.call('UNLINK', KEYS[i]) end
end
return 1
)";

/// A window ends at the microsecond; Redis, a millisecond later at most.
std::int64_t expiry_ms(click_window const& window) {
    return (domain::to_unix_us(window.expires_at()) + 999) / 1'000;
}

}  // namespace

std::string redis_counters::guard() {
    std::string found;
    redis_.run([&](redis::connection& on) {
        found = on.call({"GET", std::string{guard_key}}).text_or_empty();
    });
    return found;
}

std::string redis_counters::compare_and_set(std::string const& expected, std::string const& to,
                                            std::span<counter_row const> rows) {
    redis::words command{"EVAL", set_counters, std::to_string(1 + 2 * rows.size()), std::string{guard_key}};
    command.reserve(command.size() + 2 + 5 * rows.size());
    for (auto const& row : rows) {
        command.push_back(count_key(row.id, row.is_link));
        command.push_back(window_key(row.id));
    }
    command.push_back(expected);
    command.push_back(to);
    for (auto const& row : rows) {
        command.push_back(std::to_string(row.window.count));
        command.push_back(std::to_string(domain::to_unix_us(row.window.opened_at)));
        command.push_back(std::to_string(expiry_ms(row.window)));
    }
    std::string found;
    redis_.run([&](redis::connection& on) { found = on.call(command).text_or_empty(); });
    return found;
}

void redis_counters::drop_all(std::string const& expected) {
    redis_.run([&](redis::connection& on) {
        std::string cursor = "0";
        do {
            auto const found = on.call({"SCAN", cursor, "MATCH", std::string{key_pattern}, "COUNT", "1000"});
            cursor = found.list().at(0).text();
            auto const& keys = found.list().at(1).list();
            if (keys.empty()) continue;
            redis::words command{"EVAL", remove_keys, std::to_string(1 + keys.size()),
                                 std::string{guard_key}};
            for (auto const& key : keys) command.push_back(key.text());
            command.push_back(expected);
            on.call(command);
        } while (cursor != "0");
    });
}

}  // namespace linkledger::projections::realtime
