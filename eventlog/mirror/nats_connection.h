#pragma once
// A connection to NATS that keeps itself up, and the few JetStream calls that the mirror needs, each with a
// deadline.

#include "eventlog/event_log.h"

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

struct stream_state {
    std::int64_t created = 0;  ///< Nanoseconds since 1970; another one after a stream was made anew.
    std::string description;
    std::int64_t first = 0;  ///< Sequence of the first message that is kept.
    std::int64_t last = 0;   ///< Of the last one ever stored; 0: none.
    std::int64_t messages = 0;
    std::int64_t replicas = 1;
    std::uint64_t bytes = 0;
};

struct stream_settings {
    std::string name;
    std::string subjects;
    std::string description;
    int replicas = 1;
};

/// Safe to call from any thread. What is away is `unavailable`, what does not answer in time is `timeout`.
class nats_connection {
public:
    /// Connects in the background and goes on trying for ever, also after losses. Throws
    /// std::invalid_argument for a URL that is none.
    explicit nats_connection(nats_options options);
    ~nats_connection();
    nats_connection(nats_connection const&) = delete;
    nats_connection& operator=(nats_connection const&) = delete;

    [[nodiscard]] bool connected() const;
    /// Rises with every connection that is made and every one that is lost: what was under way at another
    /// value may be lost.
    [[nodiscard]] std::uint64_t generation() const;
    /// True as soon as there is a connection; false when there is none within `patience`.
    bool wait_connected(std::chrono::milliseconds patience) const;

    /// None: there is no such stream.
    [[nodiscard]] result<std::optional<stream_state>> find_stream(std::string const& name);
    /// Without limits, on disk. A stream of that name that is there already is left as it is.
    [[nodiscard]] result<void> create_stream(stream_settings const& settings);
    /// Nothing happens where there is none.
    [[nodiscard]] result<void> delete_stream(std::string const& name);
    /// None: there is no such message.
    [[nodiscard]] result<std::optional<std::string>> payload_at(std::string const& stream,
                                                                std::int64_t sequence);
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
