#include "eventlog/mirror/publisher.h"

#include <deque>
#include <utility>

namespace linkledger::eventlog::mirror {

struct publisher::state {
    state(jetstream& to, history const& from, position after, publisher_options const& how)
        : of(from), options(how), published(after), acknowledged(after) {
        auto opened = to.open_outbox();
        if (opened)
            out = std::move(opened).value();
        else
            reason = opened.error().detail;
    }

    /// Whether another event may be sent now.
    [[nodiscard]] bool has_room() const {
        auto const under_way = static_cast<std::size_t>(published - acknowledged);
        return under_way == 0 ||
               (under_way < options.window_events && bytes - acknowledged_bytes < options.window_bytes);
    }

    publish_outcome fails(publish_outcome how, std::string why) {
        reason = std::move(why);
        return how;
    }

    publish_outcome send(recorded_event const& event, bool with_acknowledgement);
    /// The next acknowledgement; `done` also when none came in time, which `came` tells.
    publish_outcome take(std::chrono::milliseconds patience, bool& came);
    publish_outcome await_next();

    history of;
    publisher_options options;
    position published;
    position acknowledged;
    std::uint64_t bytes = 0, acknowledged_bytes = 0;
    struct asked {
        position at;
        std::uint64_t bytes;
    };
    std::deque<asked> due;
    message scratch;
    std::unique_ptr<outbox> out;
    std::string reason;
};

publish_outcome publisher::state::send(recorded_event const& event, bool with_acknowledgement) {
    encode(event, of, scratch);
    if (auto const sent = out->send(scratch, event.position - 1, with_acknowledgement); !sent)
        return fails(publish_outcome::unavailable, sent.error().detail);
    published = event.position;
    bytes += scratch.payload.size();
    if (with_acknowledgement) due.push_back({event.position, bytes});
    return publish_outcome::done;
}

publish_outcome publisher::state::take(std::chrono::milliseconds patience, bool& came) {
    using kind = acknowledgement::kind;
    came = false;
    auto next = out->next(patience);
    if (!next) return fails(publish_outcome::unavailable, next.error().detail);
    if (!next.value()) return publish_outcome::done;
    came = true;
    auto const& [what, at, text] = *next.value();
    if (what == kind::no_stream) return fails(publish_outcome::no_stream, text);
    if (what == kind::wrong_last) return fails(publish_outcome::lost_race, text);
    if (what == kind::refused) return fails(publish_outcome::unavailable, text);
    while (!due.empty() && due.front().at <= at) {
        acknowledged = due.front().at;
        acknowledged_bytes = due.front().bytes;
        due.pop_front();
    }
    return publish_outcome::done;
}

/// What is asked for must come within the patience.
publish_outcome publisher::state::await_next() {
    bool came = false;
    auto const outcome = take(options.patience, came);
    if (came || outcome != publish_outcome::done) return outcome;
    return fails(publish_outcome::unavailable, "no acknowledgement within the deadline");
}

publisher::publisher(jetstream& to, history const& of, position after, publisher_options const& options)
    : state_(std::make_unique<state>(to, of, after, options)) {}

publisher::~publisher() = default;

publish_outcome publisher::publish(recorded_event const& event, bool pause_follows) {
    auto& s = *state_;
    if (!s.out) return publish_outcome::unavailable;
    if (event.position != s.published + 1)
        return s.fails(publish_outcome::unavailable, "the log's page does not follow");
    while (!s.has_room()) {
        auto const outcome = s.await_next();
        if (outcome != publish_outcome::done) return outcome;
    }
    auto const every = static_cast<position>(s.options.acknowledge_every);
    bool const full_after =
        static_cast<std::size_t>(event.position - s.acknowledged) >= s.options.window_events;
    bool const too_long = s.scratch.payload.size() * s.options.acknowledge_every > s.options.window_bytes / 4;
    return s.send(event, pause_follows || full_after || too_long || event.position % every == 0);
}

publish_outcome publisher::poll() {
    if (!state_->out) return publish_outcome::unavailable;
    for (bool came = true; came;) {
        auto const outcome = state_->take(std::chrono::milliseconds{0}, came);
        if (outcome != publish_outcome::done) return outcome;
    }
    return publish_outcome::done;
}

publish_outcome publisher::flush() {
    while (!state_->due.empty()) {
        auto const outcome = state_->await_next();
        if (outcome != publish_outcome::done) return outcome;
    }
    return publish_outcome::done;
}

position publisher::acknowledged() const {
    return state_->acknowledged;
}

std::string const& publisher::reason() const {
    return state_->reason;
}

}  // namespace linkledger::eventlog::mirror
