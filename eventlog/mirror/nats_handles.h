#pragma once
// Owners of nats.c's objects. Include it in .cpp files only.

#include "eventlog/mirror/nats_connection.h"

#include <nats/nats.h>

#include <memory>
#include <string>

namespace linkledger::eventlog::mirror {

/// `natsMsg_Destroy` and the like as a deleter.
template <auto Destroy>
struct destroyed_by {
    template <typename T>
    void operator()(T* object) const {
        Destroy(object);
    }
};

using message_handle = std::unique_ptr<natsMsg, destroyed_by<natsMsg_Destroy>>;
using options_handle = std::unique_ptr<natsOptions, destroyed_by<natsOptions_Destroy>>;
using stream_info_handle = std::unique_ptr<jsStreamInfo, destroyed_by<jsStreamInfo_Destroy>>;
using consumer_info_handle = std::unique_ptr<jsConsumerInfo, destroyed_by<jsConsumerInfo_Destroy>>;

/// Gives a subscription back to its connection, which must outlive it.
struct retired_by {
    nats_connection* of = nullptr;
    void operator()(natsSubscription* subscription) const { of->retire(subscription); }
};
using subscription_handle = std::unique_ptr<natsSubscription, retired_by>;

[[nodiscard]] inline failure nats_failure(natsStatus status, std::string const& doing) {
    bool const late = status == NATS_TIMEOUT;
    return {late ? failure_code::timeout : failure_code::unavailable,
            "NATS: " + doing + ": " + natsStatus_GetText(status)};
}

/// An inbox's subject, and a subscription to it or to what is below it.
struct subscribed_inbox {
    std::string subject;
    subscription_handle subscription;
};
[[nodiscard]] inline result<subscribed_inbox> subscribe_inbox(nats_connection& nats,
                                                              std::string const& below) {
    natsInbox* made = nullptr;
    if (auto const status = natsInbox_Create(&made); status != NATS_OK)
        return nats_failure(status, "an inbox");
    subscribed_inbox inbox{made, {}};
    natsInbox_Destroy(made);
    natsSubscription* subscribed = nullptr;
    auto const status =
        natsConnection_SubscribeSync(&subscribed, nats.handle(), (inbox.subject + below).c_str());
    if (status != NATS_OK) return nats_failure(status, "subscribing");
    inbox.subscription = subscription_handle{subscribed, {&nats}};
    return inbox;
}

}  // namespace linkledger::eventlog::mirror
