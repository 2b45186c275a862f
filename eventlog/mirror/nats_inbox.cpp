// Pull requests in the protocol of JetStream (ADR-13): nats.c's own fetch waits for a whole batch before it
// asks for the next.

#include "eventlog/mirror/nats_handles.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <deque>
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
delivery delivery_of(natsMsg* message) {
    delivery read;
    read.payload = {natsMsg_GetData(message), static_cast<std::size_t>(natsMsg_GetDataLength(message))};
    char const* const reply = natsMsg_GetReply(message);
    std::string_view left{reply == nullptr ? "" : reply};
    auto const dots = std::count(left.begin(), left.end(), '.');
    if (dots < 8) return read;
    auto const skip = [&](int tokens) {
        for (; tokens > 0; --tokens) left.remove_prefix(left.find('.') + 1);
    };
    skip(dots > 8 ? 7 : 5);
    std::from_chars(left.data(), left.data() + left.size(), read.sequence);
    skip(3);
    std::from_chars(left.data(), left.data() + left.size(), read.pending);
    return read;
}

class nats_inbox final : public inbox {
public:
    nats_inbox(nats_connection& nats, std::string stream, std::size_t ask_events)
        : nats_(nats), generation_(nats.generation()), stream_(std::move(stream)), ask_events_(ask_events) {}
    ~nats_inbox() override {
        received_.subscription.reset();
        if (!consumer_.empty()) nats_.delete_consumer(stream_, consumer_);
    }
    nats_inbox(nats_inbox const&) = delete;
    nats_inbox& operator=(nats_inbox const&) = delete;

    [[nodiscard]] result<void> open(std::int64_t first) {
        BOOST_OUTCOME_TRY(received_, subscribe_inbox(nats_, ""));
        BOOST_OUTCOME_TRY(consumer_, nats_.create_consumer(stream_, first));
        return boost::outcome_v2::success();
    }
    result<std::optional<delivery>> next(milliseconds patience) override;

private:
    struct request {
        std::size_t left;
        steady::time_point lost_at;
    };

    [[nodiscard]] result<void> ask();
    [[nodiscard]] result<void> note_status(std::string_view status);

    nats_connection& nats_;
    std::uint64_t const generation_;
    std::string const stream_;
    std::size_t const ask_events_;
    std::string consumer_;
    subscribed_inbox received_;
    std::deque<request> requests_;
    message_handle given_;  ///< Its payload is looked at until the next call.
};

/// Keeps requests under way, so that the server goes on sending while events are worked on.
result<void> nats_inbox::ask() {
    while (!requests_.empty() && requests_.front().lost_at < steady::now()) requests_.pop_front();
    while (requests_.size() < requests_max) {
        auto const subject = fmt::format("$JS.API.CONSUMER.MSG.NEXT.{}.{}", stream_, consumer_);
        auto const body = fmt::format(R"({{"batch":{},"expires":{}}})", ask_events_,
                                      std::chrono::nanoseconds{request_expiry}.count());
        auto const status = natsConnection_PublishRequestString(nats_.handle(), subject.c_str(),
                                                                received_.subject.c_str(), body.c_str());
        if (status != NATS_OK) return nats_failure(status, "asking for messages");
        requests_.push_back({ask_events_, steady::now() + request_expiry + request_grace});
    }
    return boost::outcome_v2::success();
}

result<void> nats_inbox::note_status(std::string_view status) {
    if (status == "100") return boost::outcome_v2::success();  // A heartbeat.
    if (status == "404" || status == "408") {                  // The oldest request is over.
        if (!requests_.empty()) requests_.pop_front();
        return boost::outcome_v2::success();
    }
    return failure{failure_code::unavailable, fmt::format("the mirror's consumer is gone ({})", status)};
}

result<std::optional<delivery>> nats_inbox::next(milliseconds patience) {
    auto const until = steady::now() + patience;
    for (;;) {
        if (nats_.generation() != generation_ || !nats_.connected())
            return failure{failure_code::unavailable, "the connection to NATS was lost"};
        BOOST_OUTCOME_TRY(ask());
        // In slices, because a lost connection wakes nobody here.
        auto const left = std::chrono::ceil<milliseconds>(until - steady::now());
        auto const slice = std::clamp(left, milliseconds{0}, milliseconds{100});
        natsMsg* received = nullptr;
        auto const status = natsSubscription_NextMsg(&received, received_.subscription.get(), slice.count());
        if (status == NATS_TIMEOUT) {
            if (left.count() <= 0) return std::optional<delivery>{};
            continue;
        }
        if (status != NATS_OK) return nats_failure(status, "reading the mirror");
        given_.reset(received);
        if (auto const signal = status_of(received); !signal.empty()) {
            BOOST_OUTCOME_TRY(note_status(signal));
            continue;
        }
        if (!requests_.empty() && --requests_.front().left == 0) requests_.pop_front();
        return std::optional{delivery_of(received)};
    }
}

}  // namespace

result<std::unique_ptr<inbox>> nats_connection::open_inbox(std::string const& stream, std::int64_t first,
                                                           std::size_t ask_events) {
    auto made = std::make_unique<nats_inbox>(*this, stream, ask_events);
    BOOST_OUTCOME_TRY(made->open(first));
    return std::unique_ptr<inbox>{std::move(made)};
}

}  // namespace linkledger::eventlog::mirror
