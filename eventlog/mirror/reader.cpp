// Pull requests in the protocol of JetStream (ADR-13): nats.c's own fetch waits for a whole batch before it
// asks for the next.

#include "eventlog/mirror/reader.h"

#include "eventlog/mirror/nats_handles.h"
#include "eventlog/mirror/stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace linkledger::eventlog::mirror {
namespace {

using steady = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::chrono::seconds request_expiry{5};
/// How much later than its expiry a request without an answer counts as lost.
constexpr std::chrono::seconds request_grace{2};
constexpr std::size_t requests_max = 2;

std::string_view status_of(natsMsg* message) {
    if (natsMsg_GetDataLength(message) > 0) return {};
    char const* status = nullptr;
    if (natsMsgHeader_Get(message, "Status", &status) != NATS_OK) return {};
    return status;
}

/// What the reply subject says: `$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<n>.<time>.<pending>`; in
/// its longer form domain and account stand before the stream (ADR-15).
struct delivery {
    position sequence = 0;     ///< In the stream; 0: the subject is no such thing.
    std::int64_t pending = 0;  ///< Messages that the consumer has yet to send.
};

delivery delivery_of(natsMsg* message) {
    char const* const reply = natsMsg_GetReply(message);
    std::string_view left{reply == nullptr ? "" : reply};
    auto const dots = std::count(left.begin(), left.end(), '.');
    if (dots < 8) return {};
    auto const skip = [&](int tokens) {
        for (; tokens > 0; --tokens) left.remove_prefix(left.find('.') + 1);
    };
    delivery read;
    skip(dots > 8 ? 7 : 5);
    std::from_chars(left.data(), left.data() + left.size(), read.sequence);
    skip(3);
    std::from_chars(left.data(), left.data() + left.size(), read.pending);
    return read;
}

}  // namespace

struct reader::state {
    struct request {
        std::size_t left;
        steady::time_point lost_at;
    };

    state(nats_connection& from, history const& whose, position after, std::size_t ask)
        : nats(from), of(whose), generation(from.generation()), last(after), ask_events(ask) {}

    ~state() {
        subscription.reset();
        if (!consumer.empty()) nats.delete_consumer(stream_name, consumer);
    }

    [[nodiscard]] result<void> open();
    [[nodiscard]] result<void> ask();
    [[nodiscard]] result<bool> fetch(milliseconds patience);
    [[nodiscard]] result<void> note_status(std::string_view status);
    [[nodiscard]] result<std::optional<recorded_event>> take();

    nats_connection& nats;
    history of;
    std::uint64_t generation;
    position last;
    std::int64_t pending = 0;
    std::size_t ask_events;
    std::string consumer, inbox;
    subscription_handle subscription;
    std::deque<request> requests;
    message_handle held;  ///< Fetched and not taken yet.
};

result<void> reader::state::open() {
    if (subscription) return boost::outcome_v2::success();
    natsInbox* made = nullptr;
    if (auto const status = natsInbox_Create(&made); status != NATS_OK)
        return nats_failure(status, "an inbox");
    inbox = made;
    natsInbox_Destroy(made);
    natsSubscription* subscribed = nullptr;
    auto const status = natsConnection_SubscribeSync(&subscribed, nats.handle(), inbox.c_str());
    if (status != NATS_OK) return nats_failure(status, "subscribing");
    subscription = subscription_handle{subscribed, {&nats}};
    BOOST_OUTCOME_TRY(consumer, nats.create_consumer(stream_name, last + 1));
    return boost::outcome_v2::success();
}

/// Keeps requests under way, so that the server goes on sending while events are worked on.
result<void> reader::state::ask() {
    while (!requests.empty() && requests.front().lost_at < steady::now()) requests.pop_front();
    while (requests.size() < requests_max) {
        auto const subject = fmt::format("$JS.API.CONSUMER.MSG.NEXT.{}.{}", stream_name, consumer);
        auto const body = fmt::format(R"({{"batch":{},"expires":{}}})", ask_events,
                                      std::chrono::nanoseconds{request_expiry}.count());
        auto const status =
            natsConnection_PublishRequestString(nats.handle(), subject.c_str(), inbox.c_str(), body.c_str());
        if (status != NATS_OK) return nats_failure(status, "asking for messages");
        requests.push_back({ask_events, steady::now() + request_expiry + request_grace});
    }
    return boost::outcome_v2::success();
}

result<void> reader::state::note_status(std::string_view status) {
    if (status == "100") return boost::outcome_v2::success();  // A heartbeat.
    if (status == "404" || status == "408") {                  // The oldest request is over.
        if (!requests.empty()) requests.pop_front();
        return boost::outcome_v2::success();
    }
    return failure{failure_code::unavailable, fmt::format("the mirror's consumer is gone ({})", status)};
}

/// True: `held` holds a message with an event.
result<bool> reader::state::fetch(milliseconds patience) {
    auto const until = steady::now() + patience;
    while (!held) {
        if (nats.generation() != generation || !nats.connected())
            return failure{failure_code::unavailable, "the connection to NATS was lost"};
        BOOST_OUTCOME_TRY(open());
        BOOST_OUTCOME_TRY(ask());
        // In slices, because a lost connection wakes nobody here.
        auto const left = std::chrono::ceil<milliseconds>(until - steady::now());
        auto const slice = std::clamp(left, milliseconds{0}, milliseconds{100});
        natsMsg* received = nullptr;
        auto const status = natsSubscription_NextMsg(&received, subscription.get(), slice.count());
        if (status == NATS_TIMEOUT) {
            if (left.count() <= 0) return false;
            continue;
        }
        if (status != NATS_OK) return nats_failure(status, "reading the mirror");
        message_handle message{received};
        if (auto const signal = status_of(received); !signal.empty()) {
            BOOST_OUTCOME_TRY(note_status(signal));
            continue;
        }
        if (!requests.empty() && --requests.front().left == 0) requests.pop_front();
        held = std::move(message);
    }
    return true;
}

/// None: it was one from before the beginning, which a consumer made at the very end may send.
result<std::optional<recorded_event>> reader::state::take() {
    auto const message = std::move(held);
    auto read = decode(
        {natsMsg_GetData(message.get()), static_cast<std::size_t>(natsMsg_GetDataLength(message.get()))});
    if (!read) return std::move(read).error();
    auto& [history_read, event] = read.value();
    auto const arrived = delivery_of(message.get());
    pending = arrived.pending;
    if (history_read != of) return failure{failure_code::corrupted, "the mirror is of another history"};
    if (arrived.sequence != event.position)
        return failure{failure_code::corrupted, "a message of the mirror has another sequence than position"};
    if (event.position <= last) return std::optional<recorded_event>{};
    if (event.position != last + 1)
        return failure{failure_code::corrupted,
                       fmt::format("the mirror goes on with {} after {}", event.position, last)};
    last = event.position;
    return std::optional{std::move(event)};
}

reader::reader(nats_connection& nats, history const& of, position after, std::size_t ask_events)
    : state_(std::make_unique<state>(nats, of, after, ask_events)) {}

reader::~reader() = default;

result<std::vector<recorded_event>> reader::next(std::size_t limit, milliseconds patience) {
    auto const until = steady::now() + patience;
    std::vector<recorded_event> events;
    while (events.size() < limit) {
        auto const left = std::chrono::ceil<milliseconds>(until - steady::now());
        auto const wait = events.empty() ? std::max(left, milliseconds{0}) : milliseconds{0};
        BOOST_OUTCOME_TRY(auto const any, state_->fetch(wait));
        if (!any) break;
        BOOST_OUTCOME_TRY(auto event, state_->take());
        if (event)
            events.push_back(std::move(*event));
        else if (left.count() <= 0)
            break;
    }
    return events;
}

result<bool> reader::wait(milliseconds patience) {
    return state_->fetch(patience);
}

std::int64_t reader::pending() const {
    return state_->pending;
}

position reader::at() const {
    return state_->last;
}

}  // namespace linkledger::eventlog::mirror
