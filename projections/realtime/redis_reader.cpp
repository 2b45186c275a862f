#include "projections/realtime/redis_reader.h"

#include "eventlog/crypto.h"
#include "projections/realtime/redis_guard.h"

#include <charconv>

namespace linkledger::projections::realtime {
namespace {

std::optional<std::int64_t> number_of(redis::reply const& from) {
    if (from.is_null()) return std::nullopt;
    auto const& text = from.text();
    std::int64_t number = 0;
    auto const [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

}  // namespace

std::optional<placed_count> redis_reader::find(domain::uuid const& id, bool is_link) {
    if (!redis_.up()) return std::nullopt;
    redis::reply answer;
    try {
        redis_.run([&](redis::connection& on) {
            answer = on.call({"MGET", std::string{guard_key}, count_key(id, is_link), window_key(id)});
        });
        auto const& all = answer.list();
        auto const guard = parse_guard(all.at(0).text_or_empty());
        if (!guard || guard->what != redis_guard::state::at || guard->history.log_id != log_id_ ||
            guard->history.epoch < epoch_)
            return std::nullopt;
        auto const count = number_of(all.at(1));
        auto const opened = number_of(all.at(2));
        // No window, or one that was evicted: the table knows.
        if (!count || !opened) return std::nullopt;
        click_window const window{domain::from_unix_us(*opened), *count, guard->position};
        return placed_count{guard->position, count_of(window, eventlog::now())};
    } catch (redis::error const&) {
        return std::nullopt;
    }
}

}  // namespace linkledger::projections::realtime
