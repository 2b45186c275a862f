#include "eventlog/mirror/relay_steps.h"

#include "eventlog/mirror/stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace linkledger::eventlog::mirror {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds retry_pause_min{50};
constexpr milliseconds connect_patience{250};
constexpr milliseconds page_patience{20};
constexpr milliseconds news_patience{100};

}  // namespace

relay_steps::relay_steps(event_log& log, jetstream& to, relay_options options, std::uint32_t seed,
                         std::function<std::unique_ptr<page_source>(position)> open_pages)
    : log_(log),
      mirror_(to),
      options_(std::move(options)),
      random_(seed),
      open_pages_(std::move(open_pages)),
      retry_pause_(retry_pause_min) {}

relay_steps::rest relay_steps::step(clock::time_point now) {
    switch (phase_) {
        case phase::looking:
            return look();
        case phase::standing_by:
            return stand_by(now);
        case phase::settling:
            return settle();
        case phase::publishing:
            return publish(now);
    }
    return {};
}

relay_steps::rest relay_steps::look_again() {
    phase_ = phase::looking;
    return {};
}

// ---- The stream as it must be -----------------------------------------------------------------------------

relay_steps::rest relay_steps::look() {
    if (!mirror_.wait_connected(connect_patience)) {
        doubted_.reset();
        note_failure({failure_code::unavailable, "NATS cannot be reached"});
        return {};
    }
    auto const stream = mirror_.find_stream(stream_name);
    if (!stream) return fail(stream.error());
    auto const fault = find_fault_of(stream.value());
    if (!fault) return fail(fault.error());
    if (fault.value()) {
        auto const* const found = stream.value() ? &*stream.value() : nullptr;
        auto const created = found != nullptr ? found->created : 0;
        // Whoever publishes repairs; one that stands by leaves it the time to, and looks again.
        bool const is_news = !doubted_ || doubted_->created != created;
        doubted_ = doubt{created, *fault.value()};
        if (!active_ && is_news) return {standby_pause()};
        if (auto const made = make_anew(found, *fault.value()); !made) return fail(made.error());
        doubted_.reset();
        return {};
    }
    doubted_.reset();
    seen_stream_ = true;
    last_ = stream.value()->last;
    saw_stream(last_);
    if (active_) {
        begin_publishing();
        return {};
    }
    note_recovered();
    set_role(relay_role::standby);
    phase_ = phase::standing_by;
    next_check_.reset();
    return {};
}

/// Reads the log's head too.
result<std::optional<std::string>> relay_steps::find_fault_of(std::optional<stream_state> const& stream) {
    BOOST_OUTCOME_TRY(head_, log_.head());
    {
        std::lock_guard const lock{stats_mutex_};
        stats_.head = head_.last;  // Lower than before where the log was restored.
    }
    if (!stream) return std::optional<std::string>{"it is gone"};
    if (doubted_ && doubted_->created == stream->created) return std::optional{doubted_->fault};
    return find_fault(mirror_, log_, *stream, head_, random_);
}

/// Another relay may do the same at the same time. That costs time and nothing else: what is published to a
/// stream that has just been deleted does not fit to the next one.
result<void> relay_steps::make_anew(stream_state const* found, std::string const& why) {
    bool const is_repair = found != nullptr || seen_stream_;
    if (is_repair)
        tell(note_level::warning,
             fmt::format("mirror: {}; making it anew from the log ({} events)", why, head_.last));
    else
        tell(note_level::info, fmt::format("mirror: making the stream for {} events", head_.last));
    if (found != nullptr) {
        BOOST_OUTCOME_TRY(mirror_.delete_stream(stream_name));
    }
    BOOST_OUTCOME_TRY(mirror_.create_stream(settings_of(history_of(head_), options_.replicas)));
    active_ = true;
    seen_stream_ = true;
    std::lock_guard const lock{stats_mutex_};
    stats_.mirrored = 0;
    if (is_repair) ++stats_.repairs;
    return boost::outcome_v2::success();
}

// ---- Whose turn it is -------------------------------------------------------------------------------------

relay_steps::rest relay_steps::stand_by(clock::time_point now) {
    if (is_check_due(now)) return look_again();
    if (!log_.wait_beyond(last_, milliseconds{0})) return {news_patience, last_};
    phase_ = phase::settling;
    return {standby_pause()};
}

relay_steps::rest relay_steps::settle() {
    auto const stream = mirror_.find_stream(stream_name);
    if (!stream || !stream.value() || stream.value()->last < last_) return look_again();
    if (stream.value()->last > last_) {
        last_ = stream.value()->last;
        saw_stream(last_);
        phase_ = phase::standing_by;
        return {};
    }
    tell(note_level::info, fmt::format("mirror: publishing from position {}", last_ + 1));
    begin_publishing();
    return {};
}

// ---- Publishing -------------------------------------------------------------------------------------------

void relay_steps::begin_publishing() {
    active_ = true;
    set_role(relay_role::publishing);
    out_ = std::make_unique<publisher>(mirror_, history_of(head_), last_, options_.publishing);
    in_ = open_pages_(last_);
    next_check_.reset();
    phase_ = phase::publishing;
}

/// Counted from the first step after a look or a check: those may take long themselves.
bool relay_steps::is_check_due(clock::time_point now) {
    if (!next_check_) next_check_ = now + options_.check_interval;
    return now >= *next_check_;
}

relay_steps::rest relay_steps::publish(clock::time_point now) {
    std::optional<failure> unreadable;
    auto const goes_on = [&] {
        if (is_check_due(now)) {
            if (!is_still_whole()) return false;
            next_check_.reset();
        }
        auto const page = in_->next(page_patience);
        if (!accept(out_->poll())) return false;
        if (page && !*page) {
            unreadable = page->error();
            return false;
        }
        // A look alone does not tell that pages can be read.
        if (page || out_->acknowledged() >= head_.last) note_recovered();
        return !page || publish_page(page->value());
    }();
    saw_stream(out_->acknowledged());
    if (goes_on) return {};
    in_.reset();
    out_.reset();
    if (!unreadable) return look_again();
    phase_ = phase::looking;
    return fail(*unreadable);
}

bool relay_steps::publish_page(std::vector<recorded_event> const& page) {
    for (auto const& event : page) {
        bool const is_last = &event == &page.back();
        if (!accept(out_->publish(event, is_last))) return false;
    }
    saw_head(page.back().position);
    std::lock_guard const lock{stats_mutex_};
    stats_.published += page.size();
    return true;
}

bool relay_steps::is_still_whole() {
    auto const stream = mirror_.find_stream(stream_name);
    if (!stream || !stream.value() || stream.value()->last < out_->acknowledged()) return false;
    auto const head = log_.head();
    if (!head || history_of(head.value()) != history_of(head_)) return false;
    saw_head(head.value().last);
    auto const fault = find_fault(mirror_, log_, *stream.value(), head.value(), random_);
    if (fault && fault.value()) doubted_ = doubt{stream.value()->created, *fault.value()};
    return fault && !fault.value();
}

bool relay_steps::accept(publish_outcome outcome) {
    switch (outcome) {
        case publish_outcome::done:
            return true;
        case publish_outcome::no_stream:
            break;  // The next look finds that it is gone.
        case publish_outcome::lost_race: {
            active_ = false;
            std::lock_guard const lock{stats_mutex_};
            ++stats_.races_lost;
            break;
        }
        case publish_outcome::unavailable:
            active_ = false;
            note_failure({failure_code::unavailable, "publishing: " + out_->reason()});
            break;
    }
    return false;
}

void relay_steps::finish() {
    if (out_) {
        (void)out_->flush();
        saw_stream(out_->acknowledged());
    }
    in_.reset();
    out_.reset();
    phase_ = phase::looking;
    set_role(relay_role::away);
}

// ---- What others see --------------------------------------------------------------------------------------

relay_stats relay_steps::stats() const {
    std::lock_guard const lock{stats_mutex_};
    return stats_;
}

relay_steps::rest relay_steps::fail(failure const& why) {
    doubted_.reset();
    note_failure(why);
    return {std::exchange(retry_pause_, std::min(retry_pause_ * 2, options_.retry_pause_max))};
}

void relay_steps::note_failure(failure const& why) {
    if (!std::exchange(failing_, true))
        tell(note_level::warning, fmt::format("mirror: {}; trying again", why.detail));
    std::lock_guard const lock{stats_mutex_};
    stats_.role = relay_role::away;
    ++stats_.failures;
    stats_.last_failure = why.detail;
}

void relay_steps::note_recovered() {
    retry_pause_ = retry_pause_min;
    if (std::exchange(failing_, false))
        tell(note_level::info, "mirror: NATS and the log are within reach again");
}

void relay_steps::set_role(relay_role role) {
    std::lock_guard const lock{stats_mutex_};
    stats_.role = role;
}

void relay_steps::saw_stream(position mirrored) {
    std::lock_guard const lock{stats_mutex_};
    stats_.mirrored = mirrored;
    stats_.head = std::max(stats_.head, mirrored);
}

void relay_steps::saw_head(position head) {
    std::lock_guard const lock{stats_mutex_};
    stats_.head = std::max(stats_.head, head);
}

std::chrono::milliseconds relay_steps::standby_pause() {
    auto const most = options_.standby_pause.count();
    return milliseconds{most + std::uniform_int_distribution<std::int64_t>{0, most}(random_)};
}

}  // namespace linkledger::eventlog::mirror
