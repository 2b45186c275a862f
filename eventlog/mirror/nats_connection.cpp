// nats.c's own reconnection does the work; its callbacks only note what happened and wake who waits.

#include "eventlog/mirror/nats_connection.h"

#include "eventlog/mirror/nats_handles.h"

#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

namespace linkledger::eventlog::mirror {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t consumer_idle_ns = 30'000'000'000;
constexpr std::chrono::milliseconds flush_patience{200};

/// What callbacks write. They may come after the connection's owner is gone, so they own it too.
struct presence {
    mutable std::mutex mutex;
    mutable std::condition_variable changed;
    std::uint64_t generation = 0;
    bool up = false;

    void note(bool is_up) {
        std::lock_guard const lock{mutex};
        up = is_up;
        ++generation;
        changed.notify_all();
    }
};
using presence_owner = std::shared_ptr<presence>;

void on_up(natsConnection*, void* closure) {
    (*static_cast<presence_owner*>(closure))->note(true);
}
void on_down(natsConnection*, void* closure) {
    (*static_cast<presence_owner*>(closure))->note(false);
}
/// The last callback of a connection.
void on_closed(natsConnection*, void* closure) {
    auto* const owner = static_cast<presence_owner*>(closure);
    (*owner)->note(false);
    delete owner;
}
/// Without a handler, nats.c writes to standard error. Whoever is concerned sees the failure itself.
void on_error(natsConnection*, natsSubscription*, natsStatus, void*) {}

std::vector<std::string> split(std::string const& urls) {
    std::vector<std::string> all;
    std::size_t begin = 0;
    while (begin <= urls.size()) {
        auto const comma = std::min(urls.find(',', begin), urls.size());
        if (comma > begin) all.push_back(urls.substr(begin, comma - begin));
        begin = comma + 1;
    }
    return all;
}

void must(natsStatus status) {
    if (status != NATS_OK) throw std::invalid_argument{natsStatus_GetText(status)};
}

options_handle options_of(nats_options const& from, presence_owner* closure) {
    natsOptions* made = nullptr;
    must(natsOptions_Create(&made));
    options_handle options{made};
    auto const urls = split(from.url);
    std::vector<char const*> servers;
    bool secure = false;
    for (auto const& url : urls) {
        servers.push_back(url.c_str());
        secure = secure || url.starts_with("tls://");
    }
    must(natsOptions_SetServers(made, servers.data(), static_cast<int>(servers.size())));
    if (secure) must(natsOptions_SetSecure(made, true));
    must(natsOptions_SetName(made, from.client_name.c_str()));
    must(natsOptions_SetTimeout(made, from.call_timeout.count()));
    must(natsOptions_SetWriteDeadline(made, from.call_timeout.count()));
    must(natsOptions_SetPingInterval(made, from.call_timeout.count()));
    must(natsOptions_SetMaxPingsOut(made, 2));
    must(natsOptions_SetMaxReconnect(made, -1));
    must(natsOptions_SetReconnectWait(made, from.reconnect_pause.count()));
    must(natsOptions_SetReconnectJitter(made, from.reconnect_pause.count(), from.reconnect_pause.count()));
    must(natsOptions_SetFailRequestsOnDisconnect(made, true));
    must(natsOptions_SetMaxPendingMsgs(made, 1'000'000));
    must(natsOptions_SetErrorHandler(made, on_error, nullptr));
    must(natsOptions_SetReconnectedCB(made, on_up, closure));
    must(natsOptions_SetDisconnectedCB(made, on_down, closure));
    must(natsOptions_SetClosedCB(made, on_closed, closure));
    must(natsOptions_SetRetryOnFailedConnect(made, true, on_up, closure));
    return options;
}

}  // namespace

struct nats_connection::state {
    explicit state(nats_options from) : options(std::move(from)) {}

    jsOptions js_options() const {
        jsOptions made;
        jsOptions_Init(&made);
        made.Wait = options.call_timeout.count();
        return made;
    }

    nats_options options;
    presence_owner seen = std::make_shared<presence>();
    natsConnection* connection = nullptr;
    jsCtx* js = nullptr;
    std::mutex retired_mutex;
    std::vector<natsSubscription*> retired;
};

nats_connection::nats_connection(nats_options options) : state_(std::make_unique<state>(std::move(options))) {
    auto owner = std::make_unique<presence_owner>(state_->seen);
    try {
        auto const chosen = options_of(state_->options, owner.get());
        auto const status = natsConnection_Connect(&state_->connection, chosen.get());
        if (status == NATS_OK)
            state_->seen->note(true);
        else if (status != NATS_NOT_YET_CONNECTED)
            must(status);
        auto js = state_->js_options();
        must(natsConnection_JetStream(&state_->js, state_->connection, &js));
    } catch (std::invalid_argument const& problem) {
        natsConnection_Destroy(state_->connection);
        if (state_->connection != nullptr) (void)owner.release();
        throw std::invalid_argument{std::string{"NATS_URL cannot be used: "} + problem.what()};
    }
    (void)owner.release();  // on_closed deletes it.
}

nats_connection::~nats_connection() {
    jsCtx_Destroy(state_->js);
    natsConnection_Close(state_->connection);  // Its reading thread has ended then.
    for (auto* const each : state_->retired) natsSubscription_Destroy(each);
    natsConnection_Destroy(state_->connection);
}

bool nats_connection::connected() const {
    std::lock_guard const lock{state_->seen->mutex};
    return state_->seen->up;
}

std::uint64_t nats_connection::generation() const {
    std::lock_guard const lock{state_->seen->mutex};
    return state_->seen->generation;
}

bool nats_connection::wait_connected(std::chrono::milliseconds patience) const {
    auto const& seen = *state_->seen;
    std::unique_lock lock{seen.mutex};
    return seen.changed.wait_for(lock, patience, [&] { return seen.up; });
}

result<std::optional<stream_state>> nats_connection::find_stream(std::string const& name) {
    if (!connected()) return nats_failure(NATS_CONNECTION_DISCONNECTED, "looking for the stream");
    jsStreamInfo* found = nullptr;
    jsErrCode error{};
    auto const status = js_GetStreamInfo(&found, state_->js, name.c_str(), nullptr, &error);
    stream_info_handle const info{found};
    if (status == NATS_NOT_FOUND || error == JSStreamNotFoundErr) return std::optional<stream_state>{};
    if (status != NATS_OK) return nats_failure(status, "looking for the stream");
    stream_state is;
    is.created = info->Created;
    if (info->Config->Description != nullptr) is.description = info->Config->Description;
    is.first = static_cast<std::int64_t>(info->State.FirstSeq);
    is.last = static_cast<std::int64_t>(info->State.LastSeq);
    is.messages = static_cast<std::int64_t>(info->State.Msgs);
    is.bytes = info->State.Bytes;
    is.replicas = info->Config->Replicas;
    return std::optional{std::move(is)};
}

result<void> nats_connection::create_stream(stream_settings const& settings) {
    if (!connected()) return nats_failure(NATS_CONNECTION_DISCONNECTED, "making the stream");
    char const* subjects[] = {settings.subjects.c_str()};
    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    config.Name = settings.name.c_str();
    config.Description = settings.description.c_str();
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    config.Storage = js_FileStorage;
    config.Replicas = settings.replicas;
    config.Duplicates = 100'000'000;  // Nanoseconds. No message has an id to deduplicate by.
    jsErrCode error{};
    auto const status = js_AddStream(nullptr, state_->js, &config, nullptr, &error);
    if (status == NATS_OK || error == JSStreamNameExistErr) return boost::outcome_v2::success();
    return nats_failure(status, "making the stream (JetStream error " + std::to_string(error) + ")");
}

result<void> nats_connection::delete_stream(std::string const& name) {
    if (!connected()) return nats_failure(NATS_CONNECTION_DISCONNECTED, "deleting the stream");
    auto patient = state_->js_options();
    patient.Wait = std::max<std::int64_t>(patient.Wait, 30'000);  // Its files go first.
    jsErrCode error{};
    auto const status = js_DeleteStream(state_->js, name.c_str(), &patient, &error);
    if (status == NATS_OK || status == NATS_NOT_FOUND || error == JSStreamNotFoundErr)
        return boost::outcome_v2::success();
    return nats_failure(status, "deleting the stream");
}

result<std::optional<std::string>> nats_connection::payload_at(std::string const& stream,
                                                               std::int64_t sequence) {
    if (!connected()) return nats_failure(NATS_CONNECTION_DISCONNECTED, "reading a message");
    natsMsg* found = nullptr;
    jsErrCode error{};
    auto const status =
        js_GetMsg(&found, state_->js, stream.c_str(), static_cast<std::uint64_t>(sequence), nullptr, &error);
    message_handle const message{found};
    if (status == NATS_NOT_FOUND || error == JSNoMessageFoundErr) return std::optional<std::string>{};
    if (status != NATS_OK) return nats_failure(status, "reading a message");
    return std::optional<std::string>{std::in_place, natsMsg_GetData(message.get()),
                                      static_cast<std::size_t>(natsMsg_GetDataLength(message.get()))};
}

result<std::string> nats_connection::create_consumer(std::string const& stream, std::int64_t first) {
    if (!connected()) return nats_failure(NATS_CONNECTION_DISCONNECTED, "making a consumer");
    jsConsumerConfig config;
    jsConsumerConfig_Init(&config);
    config.DeliverPolicy = js_DeliverByStartSequence;
    config.OptStartSeq = static_cast<std::uint64_t>(first);
    config.AckPolicy = js_AckNone;
    config.InactiveThreshold = consumer_idle_ns;
    config.Replicas = 1;
    config.MemoryStorage = true;
    jsConsumerInfo* made = nullptr;
    jsErrCode error{};
    auto const status = js_AddConsumer(&made, state_->js, stream.c_str(), &config, nullptr, &error);
    consumer_info_handle const info{made};
    if (status != NATS_OK)
        return nats_failure(status, "making a consumer (JetStream error " + std::to_string(error) + ")");
    return std::string{info->Name};
}

void nats_connection::delete_consumer(std::string const& stream, std::string const& consumer) {
    if (!connected()) return;
    // Without waiting for an answer: the server forgets an idle consumer anyway.
    auto const subject = "$JS.API.CONSUMER.DELETE." + stream + "." + consumer;
    natsConnection_PublishString(state_->connection, subject.c_str(), "");
}

__natsConnection* nats_connection::handle() const {
    return state_->connection;
}

void nats_connection::retire(natsSubscription* subscription) {
    natsSubscription_Unsubscribe(subscription);
    std::lock_guard const lock{state_->retired_mutex};
    state_->retired.push_back(subscription);
    // The answer to a ping is read by the same thread, after every message before it.
    if (natsConnection_FlushTimeout(state_->connection, flush_patience.count()) != NATS_OK) return;
    for (auto* const each : state_->retired) natsSubscription_Destroy(each);
    state_->retired.clear();
}

}  // namespace linkledger::eventlog::mirror
