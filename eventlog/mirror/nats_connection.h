#pragma once
// JetStream over a connection to NATS that keeps itself up.

#include "eventlog/mirror/jetstream.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

struct __natsConnection;
struct __natsSubscription;

namespace linkledger::eventlog::mirror {

struct nats_options {
    std::string url = "nats://127.0.0.1:4222";  ///< Several servers of a cluster with commas between.
    std::string client_name = "linkledger";     ///< What the server's monitoring shows.
    std::chrono::milliseconds call_timeout{2'000};
    std::chrono::milliseconds reconnect_pause{100};
};

class nats_connection final : public jetstream {
public:
    /// Connects in the background and goes on trying for ever, also after losses. Throws
    /// std::invalid_argument for a URL that is none.
    explicit nats_connection(nats_options options);
    ~nats_connection() override;
    nats_connection(nats_connection const&) = delete;
    nats_connection& operator=(nats_connection const&) = delete;

    [[nodiscard]] bool connected() const override;
    bool wait_connected(std::chrono::milliseconds patience) const override;
    [[nodiscard]] result<std::optional<stream_state>> find_stream(std::string const& name) override;
    [[nodiscard]] result<void> create_stream(stream_settings const& settings) override;
    [[nodiscard]] result<void> delete_stream(std::string const& name) override;
    [[nodiscard]] result<std::optional<std::string>> payload_at(std::string const& stream,
                                                                std::int64_t sequence) override;
    [[nodiscard]] result<std::unique_ptr<outbox>> open_outbox() override;
    [[nodiscard]] result<std::unique_ptr<inbox>> open_inbox(std::string const& stream, std::int64_t first,
                                                            std::size_t ask_events) override;

    /// Rises with every connection that is made and every one that is lost: what was under way at another
    /// value may be lost.
    [[nodiscard]] std::uint64_t generation() const;
    /// A pull consumer in memory, without acknowledgements, from `first` on; its name. The server forgets it
    /// when it is not used for half a minute.
    [[nodiscard]] result<std::string> create_consumer(std::string const& stream, std::int64_t first);
    void delete_consumer(std::string const& stream, std::string const& consumer);

    [[nodiscard]] __natsConnection* handle() const;
    /// Ends a subscription, and frees it once no message can be on its way to it: nats.c 3.4 frees at once
    /// what its reading thread may still write to.
    void retire(__natsSubscription* subscription);

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace linkledger::eventlog::mirror
