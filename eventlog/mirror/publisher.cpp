#include "eventlog/mirror/publisher.h"

#include "eventlog/mirror/nats_handles.h"

#include <charconv>
#include <deque>
#include <string_view>

namespace linkledger::eventlog::mirror {
namespace {

using steady = std::chrono::steady_clock;

constexpr std::string_view wrong_last_sequence = "\"err_code\":10071";

position trailing_number(std::string_view subject) {
    auto const dot = subject.rfind('.');
    position at = 0;
    if (dot != std::string_view::npos)
        std::from_chars(subject.data() + dot + 1, subject.data() + subject.size(), at);
    return at;
}

}  // namespace

struct publisher::state {
    state(nats_connection& to, history const& from, position after, publisher_options const& how)
        : nats(to),
          of(from),
          options(how),
          generation(to.generation()),
          published(after),
          acknowledged(after) {
        natsInbox* made = nullptr;
        if (natsInbox_Create(&made) != NATS_OK) return;
        inbox = made;
        natsInbox_Destroy(made);
        natsSubscription* subscribed = nullptr;
        if (natsConnection_SubscribeSync(&subscribed, nats.handle(), (inbox + ".*").c_str()) == NATS_OK)
            acknowledgements = subscription_handle{subscribed, {&nats}};
    }

    /// Whether another event of `bytes` may be sent now.
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

    nats_connection& nats;
    history of;
    publisher_options options;
    std::uint64_t generation;
    position published;
    position acknowledged;
    std::uint64_t bytes = 0, acknowledged_bytes = 0;
    struct asked {
        position at;
        std::uint64_t bytes;
    };
    std::deque<asked> due;
    message scratch;
    std::string inbox;
    subscription_handle acknowledgements;
    std::string reason;
};

publish_outcome publisher::state::send(recorded_event const& event, bool with_acknowledgement) {
    encode(event, of, scratch);
    std::string const reply = with_acknowledgement ? inbox + "." + std::to_string(event.position) : "";
    natsMsg* made = nullptr;
    auto status =
        natsMsg_Create(&made, scratch.subject.c_str(), with_acknowledgement ? reply.c_str() : nullptr,
                       scratch.payload.data(), static_cast<int>(scratch.payload.size()));
    message_handle const message{made};
    auto const put = [&](char const* name, std::string const& value) {
        if (status == NATS_OK) status = natsMsgHeader_Set(made, name, value.c_str());
    };
    put("Nats-Expected-Last-Sequence", std::to_string(event.position - 1));
    for (auto const& [name, value] : scratch.headers) put(name.data(), value);
    if (status == NATS_OK) status = natsConnection_PublishMsg(nats.handle(), made);
    if (status != NATS_OK)
        return fails(publish_outcome::unavailable, "position " + std::to_string(event.position) +
                                                       " cannot be sent: " + natsStatus_GetText(status));
    published = event.position;
    bytes += scratch.payload.size();
    if (with_acknowledgement) due.push_back({event.position, bytes});
    return publish_outcome::done;
}

publish_outcome publisher::state::take(std::chrono::milliseconds patience, bool& came) {
    came = false;
    natsMsg* next = nullptr;
    auto const status = natsSubscription_NextMsg(&next, acknowledgements.get(), patience.count());
    message_handle const message{next};
    if (status == NATS_TIMEOUT) return publish_outcome::done;
    if (status != NATS_OK) return fails(publish_outcome::unavailable, natsStatus_GetText(status));
    came = true;
    if (natsMsg_IsNoResponders(next)) return fails(publish_outcome::no_stream, "there is no stream");
    std::string_view const text{natsMsg_GetData(next), static_cast<std::size_t>(natsMsg_GetDataLength(next))};
    if (text.find("\"error\"") != std::string_view::npos) {
        bool const race = text.find(wrong_last_sequence) != std::string_view::npos;
        return fails(race ? publish_outcome::lost_race : publish_outcome::unavailable, std::string{text});
    }
    position const at = trailing_number(natsMsg_GetSubject(next));
    while (!due.empty() && due.front().at <= at) {
        acknowledged = due.front().at;
        acknowledged_bytes = due.front().bytes;
        due.pop_front();
    }
    return publish_outcome::done;
}

/// What is asked for must come within the patience, or the connection must be gone.
publish_outcome publisher::state::await_next() {
    auto const until = steady::now() + options.patience;
    constexpr std::chrono::milliseconds slice{100};
    while (steady::now() < until) {
        if (nats.generation() != generation)
            return fails(publish_outcome::unavailable, "the connection was lost");
        bool came = false;
        auto const outcome = take(slice, came);
        if (came || outcome != publish_outcome::done) return outcome;
    }
    return fails(publish_outcome::unavailable, "no acknowledgement within the deadline");
}

publisher::publisher(nats_connection& nats, history const& of, position after,
                     publisher_options const& options)
    : state_(std::make_unique<state>(nats, of, after, options)) {}

publisher::~publisher() = default;

publish_outcome publisher::publish(recorded_event const& event, bool pause_follows) {
    auto& s = *state_;
    if (!s.acknowledgements) return s.fails(publish_outcome::unavailable, "no subscription");
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
    if (!state_->acknowledgements) return state_->fails(publish_outcome::unavailable, "no subscription");
    for (bool came = true; came;) {
        auto const outcome = state_->take(std::chrono::milliseconds{0}, came);
        if (outcome != publish_outcome::done) return outcome;
    }
    if (state_->nats.generation() != state_->generation)
        return state_->fails(publish_outcome::unavailable, "the connection was lost");
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
