// A few readers of the mirror, found by the place that they are at, and the rule when the log is read
// instead.

#include "projections/mirror_source.h"

#include "eventlog/mirror/reader.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>
#include <utility>

namespace linkledger::projections {
namespace {

namespace mirror = eventlog::mirror;
using namespace std::chrono_literals;
using eventlog::failure;
using eventlog::failure_code;
using eventlog::position;
using eventlog::read_page;
using eventlog::read_query;
using eventlog::result;
using std::chrono::milliseconds;
using steady = std::chrono::steady_clock;

constexpr std::size_t places_max = 6;
constexpr milliseconds wait_max{200};
constexpr std::chrono::seconds head_age_max{2};
constexpr std::string_view click_type = "link.clicked";

/// A reader of one history, and who uses it.
struct place {
    std::mutex in_use;
    std::unique_ptr<mirror::reader> reader;
    mirror::history of;
    steady::time_point used{};
};
using held_place = std::pair<place*, std::unique_lock<std::mutex>>;

bool contains(std::vector<std::string> const& list, std::string_view text) {
    return std::find(list.begin(), list.end(), text) != list.end();
}

class jetstream_source final : public mirror_source {
public:
    jetstream_source(eventlog::event_log& log, std::unique_ptr<mirror::jetstream> from,
                     mirror_source_options const& options)
        : log_(log), options_(options), mirror_(std::move(from)), retry_pause_(options.retry_pause_min) {
        mirror_->wait_connected(options.connect_patience);
    }

    result<eventlog::log_head> head() override;
    result<read_page> read(read_query const& query) override;
    bool wait_beyond(position after, milliseconds deadline) override;
    [[nodiscard]] mirror_source_stats stats() const override {
        std::lock_guard const lock{mutex_};
        return stats_;
    }

private:
    [[nodiscard]] bool suits(read_query const& query);
    [[nodiscard]] bool may_try();
    [[nodiscard]] result<eventlog::log_head> recent_head();
    [[nodiscard]] std::optional<held_place> find_place(position after);
    void open(place& at, position after);
    [[nodiscard]] result<read_page> read_mirror(read_query const& query, place& at);
    result<read_page> read_log(read_query const& query);
    void turn_to_log(failure const& why, place* at);
    void note_mirror(std::size_t events);

    eventlog::event_log& log_;
    mirror_source_options options_;
    std::unique_ptr<mirror::jetstream> mirror_;
    std::array<place, places_max> places_;

    mutable std::mutex mutex_;
    mirror_source_stats stats_;
    bool told_ = false;  ///< The process's log says where events come from.
    milliseconds retry_pause_;
    steady::time_point retry_at_{};
    std::optional<eventlog::log_head> head_;
    steady::time_point head_read_{};
};

result<read_page> jetstream_source::read(read_query const& query) {
    if (!suits(query) || !may_try()) return read_log(query);
    auto held = find_place(query.after);
    if (!held) return read_log(query);
    auto& at = *held->first;
    auto page = read_mirror(query, at);
    if (!page) {
        turn_to_log(page.error(), &at);
        return read_log(query);
    }
    if (page.value().scanned_to > query.after) {
        note_mirror(page.value().events.size());
        return page;
    }
    // Nothing came. Either there is nothing, or the mirror is behind.
    if (!log_.wait_beyond(query.after, 0ms)) return page;
    turn_to_log({failure_code::timeout, "the mirror is behind"}, nullptr);
    return read_log(query);
}

bool jetstream_source::wait_beyond(position after, milliseconds deadline) {
    if (!may_try()) return log_.wait_beyond(after, deadline);
    auto held = find_place(after);
    if (!held) return log_.wait_beyond(after, deadline);
    auto& at = *held->first;
    open(at, after);
    auto const woken = at.reader->wait(std::min(deadline, wait_max));
    if (woken && woken.value()) return true;
    if (!woken) turn_to_log(woken.error(), &at);
    return log_.wait_beyond(after, 0ms);
}

/// Whether the mirror can answer it as well as the log does.
bool jetstream_source::suits(read_query const& query) {
    bool const is_open = query.until == std::numeric_limits<position>::max() && query.stream.empty() &&
                         !query.workspace_id && query.limit > 1;
    if (!is_open) return false;
    bool const without_clicks = contains(query.excluded_types, click_type) ||
                                (!query.types.empty() && !contains(query.types, click_type));
    if (!without_clicks) return true;
    auto const head = recent_head();
    return head && head.value().last - query.after <= options_.rare_types_distance;
}

bool jetstream_source::may_try() {
    if (!mirror_->connected()) {
        turn_to_log({failure_code::unavailable, "NATS cannot be reached"}, nullptr);
        return false;
    }
    std::lock_guard const lock{mutex_};
    return steady::now() >= retry_at_;
}

/// Who learns of another history here gets nothing of the one before any more.
result<eventlog::log_head> jetstream_source::head() {
    auto const now = log_.head();
    std::lock_guard const lock{mutex_};
    if (!now) return now;
    // Who was slow to store what it read does not bring an earlier history back.
    bool const is_older = head_ && head_->log_id == now.value().log_id && head_->epoch > now.value().epoch;
    if (is_older) return now;
    head_ = now.value();
    head_read_ = steady::now();
    return now;
}

/// Not older than a little while: a history does not change often.
result<eventlog::log_head> jetstream_source::recent_head() {
    {
        std::lock_guard const lock{mutex_};
        if (head_ && steady::now() - head_read_ < head_age_max) return *head_;
    }
    return head();
}

/// The reader that is there, or one that is used no more; none when all are in use, or the log is away.
std::optional<held_place> jetstream_source::find_place(position after) {
    auto const now = recent_head();
    if (!now) return std::nullopt;
    auto const current = mirror::history_of(now.value());
    std::optional<held_place> oldest;
    for (auto& each : places_) {
        std::unique_lock lock{each.in_use, std::try_to_lock};
        if (!lock) continue;
        bool const goes_on = each.reader && each.of == current && each.reader->at() == after;
        if (goes_on) return held_place{&each, std::move(lock)};
        if (!oldest || each.used < oldest->first->used) oldest.emplace(&each, std::move(lock));
    }
    if (oldest) {
        oldest->first->reader.reset();
        oldest->first->of = current;
    }
    return oldest;
}

void jetstream_source::open(place& at, position after) {
    at.used = steady::now();
    if (!at.reader) at.reader = std::make_unique<mirror::reader>(*mirror_, at.of, after);
}

/// A page of what the mirror has; without an event and `scanned_to` at the beginning when that is nothing.
result<read_page> jetstream_source::read_mirror(read_query const& query, place& at) {
    open(at, query.after);
    read_page page;
    page.scanned_to = query.after;
    auto const until = steady::now() + options_.page_patience;
    auto patience = options_.behind_patience;
    do {
        auto more = at.reader->next(query.limit - page.events.size(), patience);
        if (!more) {
            // What came before is right; the failure shows again with the next read.
            if (page.scanned_to > query.after) break;
            return std::move(more).error();
        }
        page.scanned_to = at.reader->at();
        for (auto& event : more.value()) {
            bool const wanted = (query.types.empty() || contains(query.types, event.body.type)) &&
                                !contains(query.excluded_types, event.body.type);
            if (wanted) page.events.push_back(std::move(event));
        }
        if (at.reader->pending() == 0) break;
        patience = std::chrono::ceil<milliseconds>(until - steady::now());
    } while (page.events.size() < query.limit && patience.count() > 0);
    return page;
}

result<read_page> jetstream_source::read_log(read_query const& query) {
    auto page = log_.read(query);
    std::lock_guard const lock{mutex_};
    if (page) stats_.log_events += page.value().events.size();
    return page;
}

void jetstream_source::turn_to_log(failure const& why, place* at) {
    if (at != nullptr) at->reader.reset();
    std::lock_guard const lock{mutex_};
    head_.reset();
    retry_at_ = steady::now() + retry_pause_;
    retry_pause_ = std::min(retry_pause_ * 2, options_.retry_pause_max);
    bool const is_news = std::exchange(stats_.on_mirror, false) || !std::exchange(told_, true);
    if (!is_news) return;
    ++stats_.fallbacks;
    stats_.reason = why.detail;
    spdlog::warn("projections: {}; reading the log meanwhile", why.detail);
}

void jetstream_source::note_mirror(std::size_t events) {
    std::lock_guard const lock{mutex_};
    stats_.mirror_events += events;
    retry_pause_ = options_.retry_pause_min;
    told_ = true;
    if (!std::exchange(stats_.on_mirror, true)) spdlog::info("projections: reading the mirror");
}

}  // namespace

std::unique_ptr<mirror_source> create_mirror_source(eventlog::event_log& log,
                                                    mirror_source_options const& options) {
    return create_mirror_source(log, std::make_unique<mirror::nats_connection>(options.nats), options);
}

std::unique_ptr<mirror_source> create_mirror_source(eventlog::event_log& log,
                                                    std::unique_ptr<mirror::jetstream> from,
                                                    mirror_source_options const& options) {
    return std::make_unique<jetstream_source>(log, std::move(from), options);
}

}  // namespace linkledger::projections
