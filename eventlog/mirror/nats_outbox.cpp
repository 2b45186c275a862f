// Messages that are sent to a subject of their own each, so that an acknowledgement says whose it is.

#include "eventlog/mirror/nats_handles.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace linkledger::eventlog::mirror {
namespace {

using steady = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::string_view wrong_last_sequence = "\"err_code\":10071";

position trailing_number(std::string_view subject) {
    auto const dot = subject.rfind('.');
    position at = 0;
    if (dot != std::string_view::npos)
        std::from_chars(subject.data() + dot + 1, subject.data() + subject.size(), at);
    return at;
}

acknowledgement read_acknowledgement(natsMsg* received) {
    using kind = acknowledgement::kind;
    if (natsMsg_IsNoResponders(received)) return {kind::no_stream, 0, "there is no stream"};
    std::string_view const text{natsMsg_GetData(received),
                                static_cast<std::size_t>(natsMsg_GetDataLength(received))};
    if (text.find("\"error\"") == std::string_view::npos)
        return {kind::stored, trailing_number(natsMsg_GetSubject(received))};
    bool const race = text.find(wrong_last_sequence) != std::string_view::npos;
    return {race ? kind::wrong_last : kind::refused, 0, std::string{text}};
}

class nats_outbox final : public outbox {
public:
    nats_outbox(nats_connection& nats, std::uint64_t generation, subscribed_inbox replies)
        : nats_(nats), generation_(generation), replies_(std::move(replies)) {}

    result<void> send(message const& what, position after, bool acknowledge) override;
    result<std::optional<acknowledgement>> next(milliseconds patience) override;

private:
    nats_connection& nats_;
    std::uint64_t const generation_;
    subscribed_inbox replies_;
};

result<void> nats_outbox::send(message const& what, position after, bool acknowledge) {
    auto const reply = acknowledge ? replies_.subject + "." + std::to_string(after + 1) : std::string{};
    natsMsg* made = nullptr;
    auto status = natsMsg_Create(&made, what.subject.c_str(), acknowledge ? reply.c_str() : nullptr,
                                 what.payload.data(), static_cast<int>(what.payload.size()));
    message_handle const owner{made};
    auto const put = [&](char const* name, std::string const& value) {
        if (status == NATS_OK) status = natsMsgHeader_Set(made, name, value.c_str());
    };
    // By hand: nats.c takes 0, the condition of the very first message, for "not set".
    put("Nats-Expected-Last-Sequence", std::to_string(after));
    for (auto const& [name, value] : what.headers) put(name.data(), value);
    if (status == NATS_OK) status = natsConnection_PublishMsg(nats_.handle(), made);
    if (status != NATS_OK) return nats_failure(status, "sending position " + std::to_string(after + 1));
    return boost::outcome_v2::success();
}

result<std::optional<acknowledgement>> nats_outbox::next(milliseconds patience) {
    auto const until = steady::now() + patience;
    for (;;) {
        // In slices, because a lost connection wakes nobody here.
        auto const left = std::chrono::ceil<milliseconds>(until - steady::now());
        auto const slice = std::clamp(left, milliseconds{0}, milliseconds{100});
        natsMsg* received = nullptr;
        auto const status = natsSubscription_NextMsg(&received, replies_.subscription.get(), slice.count());
        message_handle const owner{received};
        if (status == NATS_OK) return std::optional{read_acknowledgement(received)};
        if (status != NATS_TIMEOUT) return nats_failure(status, "waiting for acknowledgements");
        if (nats_.generation() != generation_)
            return failure{failure_code::unavailable, "the connection to NATS was lost"};
        if (left.count() <= 0) return std::optional<acknowledgement>{};
    }
}

}  // namespace

result<std::unique_ptr<outbox>> nats_connection::open_outbox() {
    auto const as_of = generation();
    BOOST_OUTCOME_TRY(auto replies, subscribe_inbox(*this, ".*"));
    return std::unique_ptr<outbox>{std::make_unique<nats_outbox>(*this, as_of, std::move(replies))};
}

}  // namespace linkledger::eventlog::mirror
