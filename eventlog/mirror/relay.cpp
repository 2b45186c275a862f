// A loop of three steps: bring the stream in order, wait for the turn, publish until something is not as it
// should be.

#include "eventlog/mirror/relay.h"

#include "eventlog/mirror/read_ahead.h"
#include "eventlog/mirror/stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <utility>

namespace linkledger::eventlog::mirror {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds retry_pause_min{50};

}  // namespace

struct relay::state {
    state(event_log& from, relay_options how)
        : log(from), options(std::move(how)), nats(options.nats), random(std::random_device{}()) {}

    /// Where the stream is, once it is a beginning of the log.
    struct place {
        history of;
        position last = 0;
    };

    void run();
    [[nodiscard]] result<place> bring_in_order();
    [[nodiscard]] result<void> make_anew(log_head const& head, stream_state const* found,
                                         std::string const& why);
    [[nodiscard]] bool is_our_turn(place& at);
    void publish_from(place const& at);
    void publish_pages(place const& at, publisher& out);
    [[nodiscard]] bool publish_page(std::vector<recorded_event> const& page, publisher& out);
    [[nodiscard]] bool is_still_whole(place const& at, publisher const& out);
    [[nodiscard]] bool accept(publish_outcome outcome, publisher const& out);

    void tell(note_level level, std::string const& text) const {
        if (options.note) options.note(level, text);
    }
    void note_failure(failure const& why);
    void note_recovered();
    void set_role(relay_role role) {
        std::lock_guard const lock{stats_mutex};
        stats.role = role;
    }
    void saw(position mirrored) {
        std::lock_guard const lock{stats_mutex};
        stats.mirrored = mirrored;
        stats.head = std::max(stats.head, mirrored);
    }
    [[nodiscard]] bool stopping() {
        std::lock_guard const lock{mutex};
        return stop;
    }
    /// False: stop.
    bool pause(milliseconds time) {
        std::unique_lock lock{mutex};
        return !changed.wait_for(lock, time, [&] { return stop; });
    }
    /// Two that lost at the same moment do not come back at the same moment.
    [[nodiscard]] milliseconds standby_pause() {
        auto const most = options.standby_pause.count();
        return milliseconds{most + std::uniform_int_distribution<std::int64_t>{0, most}(random)};
    }

    event_log& log;
    relay_options options;
    nats_connection nats;
    std::minstd_rand random;
    bool active = false;  ///< Published last, and lost no race since.
    bool seen_stream = false;
    bool failing = false;

    std::mutex mutex;
    std::condition_variable changed;
    bool stop = false;
    std::thread thread;

    mutable std::mutex stats_mutex;
    relay_stats stats;
};

relay::relay(event_log& log, relay_options options)
    : state_(std::make_unique<state>(log, std::move(options))) {}

relay::~relay() {
    stop();
}

void relay::start() {
    if (state_->thread.joinable()) return;
    state_->thread = std::thread{[this] { state_->run(); }};
}

void relay::stop() {
    {
        std::lock_guard const lock{state_->mutex};
        state_->stop = true;
        state_->changed.notify_all();
    }
    if (state_->thread.joinable()) state_->thread.join();
}

relay_stats relay::stats() const {
    std::lock_guard const lock{state_->stats_mutex};
    return state_->stats;
}

void relay::state::run() {
    auto retry_pause = retry_pause_min;
    while (!stopping()) {
        if (!nats.wait_connected(250ms)) {
            note_failure({failure_code::unavailable, "NATS cannot be reached"});
            continue;
        }
        auto at = bring_in_order();
        if (!at) {
            note_failure(at.error());
            pause(retry_pause);
            retry_pause = std::min(retry_pause * 2, options.retry_pause_max);
            continue;
        }
        note_recovered();
        retry_pause = retry_pause_min;
        saw(at.value().last);
        if (is_our_turn(at.value())) publish_from(at.value());
    }
    set_role(relay_role::away);
}

// ---- The stream as it must be -----------------------------------------------------------------------------

result<relay::state::place> relay::state::bring_in_order() {
    for (;;) {
        BOOST_OUTCOME_TRY(auto const stream, nats.find_stream(stream_name));
        BOOST_OUTCOME_TRY(auto const head, log.head());
        {
            std::lock_guard const lock{stats_mutex};
            stats.head = head.last;
        }
        std::optional<std::string> fault{"it is gone"};
        if (stream) {
            BOOST_OUTCOME_TRY(fault, find_fault(nats, log, *stream, head));
        }
        if (!fault) {
            seen_stream = true;
            return place{history_of(head), stream->last};
        }
        // Whoever publishes repairs; one that stands by leaves it the time to, and looks again.
        if (!active) {
            if (!pause(standby_pause())) return failure{failure_code::shutting_down, "stopped"};
            BOOST_OUTCOME_TRY(auto const again, nats.find_stream(stream_name));
            bool const same =
                again.has_value() == stream.has_value() && (!again || again->created == stream->created);
            if (!same) continue;
        }
        BOOST_OUTCOME_TRY(make_anew(head, stream ? &*stream : nullptr, *fault));
    }
}

/// Another relay may do the same at the same time. That costs time and nothing else: what is published to a
/// stream that has just been deleted does not fit to the next one.
result<void> relay::state::make_anew(log_head const& head, stream_state const* found,
                                     std::string const& why) {
    bool const is_repair = found != nullptr || seen_stream;
    if (is_repair)
        tell(note_level::warning,
             fmt::format("mirror: {}; making it anew from the log ({} events)", why, head.last));
    else
        tell(note_level::info, fmt::format("mirror: making the stream for {} events", head.last));
    if (found != nullptr) {
        BOOST_OUTCOME_TRY(nats.delete_stream(stream_name));
    }
    BOOST_OUTCOME_TRY(nats.create_stream(settings_of(history_of(head), options.replicas)));
    active = true;
    seen_stream = true;
    std::lock_guard const lock{stats_mutex};
    stats.mirrored = 0;
    if (is_repair) ++stats.repairs;
    return boost::outcome_v2::success();
}

// ---- Whose turn it is -------------------------------------------------------------------------------------

/// True once there is more in the log and nobody else publishes it. False: time to look at everything again.
bool relay::state::is_our_turn(place& at) {
    if (active) return true;
    set_role(relay_role::standby);
    auto const until = steady::now() + options.check_interval;
    while (!stopping() && steady::now() < until) {
        if (!log.wait_beyond(at.last, 100ms)) {
            pause(10ms);  // A log that cannot be reached may answer at once.
            continue;
        }
        if (!pause(standby_pause())) return false;
        auto const stream = nats.find_stream(stream_name);
        if (!stream || !stream.value() || stream.value()->last < at.last) return false;
        if (stream.value()->last == at.last) return true;
        at.last = stream.value()->last;
        saw(at.last);
    }
    return false;
}

// ---- Publishing -------------------------------------------------------------------------------------------

void relay::state::publish_from(place const& at) {
    if (!active) tell(note_level::info, fmt::format("mirror: publishing from position {}", at.last + 1));
    active = true;
    set_role(relay_role::publishing);
    publisher out{nats, at.of, at.last, options.publishing};
    publish_pages(at, out);
    if (stopping()) (void)out.flush();
    saw(out.acknowledged());
}

void relay::state::publish_pages(place const& at, publisher& out) {
    read_ahead in{log, at.last, options.page_events};
    auto next_check = steady::now() + options.check_interval;
    while (!stopping()) {
        if (steady::now() >= next_check) {
            if (!is_still_whole(at, out)) return;
            next_check = steady::now() + options.check_interval;
        }
        auto const page = in.next(20ms);
        if (!accept(out.poll(), out)) return;
        if (page && !*page) return note_failure(page->error());
        if (page && !publish_page(page->value(), out)) return;
        saw(out.acknowledged());
    }
}

bool relay::state::publish_page(std::vector<recorded_event> const& page, publisher& out) {
    for (auto const& event : page) {
        bool const is_last = &event == &page.back();
        if (!accept(out.publish(event, is_last), out)) return false;
    }
    std::lock_guard const lock{stats_mutex};
    stats.published += page.size();
    stats.head = std::max(stats.head, page.back().position);
    return true;
}

bool relay::state::is_still_whole(place const& at, publisher const& out) {
    auto const stream = nats.find_stream(stream_name);
    if (!stream || !stream.value() || stream.value()->last < out.acknowledged()) return false;
    auto const head = log.head();
    if (!head || history_of(head.value()) != at.of) return false;
    {
        std::lock_guard const lock{stats_mutex};
        stats.head = std::max(stats.head, head.value().last);
    }
    auto const fault = find_fault(nats, log, *stream.value(), head.value());
    return fault && !fault.value();
}

bool relay::state::accept(publish_outcome outcome, publisher const& out) {
    switch (outcome) {
        case publish_outcome::done:
            return true;
        case publish_outcome::no_stream:
            break;  // The next look finds that it is gone.
        case publish_outcome::lost_race: {
            active = false;
            std::lock_guard const lock{stats_mutex};
            ++stats.races_lost;
            break;
        }
        case publish_outcome::unavailable:
            active = false;
            note_failure({failure_code::unavailable, "publishing: " + out.reason()});
            break;
    }
    return false;
}

// ---- What others see --------------------------------------------------------------------------------------

void relay::state::note_failure(failure const& why) {
    bool const is_news = !std::exchange(failing, true);
    if (is_news && why.code != failure_code::shutting_down)
        tell(note_level::warning, fmt::format("mirror: {}; trying again", why.detail));
    std::lock_guard const lock{stats_mutex};
    stats.role = relay_role::away;
    ++stats.failures;
    stats.last_failure = why.detail;
}

void relay::state::note_recovered() {
    if (std::exchange(failing, false))
        tell(note_level::info, "mirror: NATS and the log are within reach again");
}

}  // namespace linkledger::eventlog::mirror
