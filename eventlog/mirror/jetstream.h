#pragma once
// The port to JetStream: what the mirror asks of it, each call with a deadline. `nats_connection` is
// JetStream over the network.

#include "eventlog/mirror/message.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace linkledger::eventlog::mirror {

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

/// What came back for a message that was sent.
struct acknowledgement {
    enum class kind {
        stored,      ///< So is everything that was sent before it.
        wrong_last,  ///< The stream's last message was another than the condition says.
        no_stream,   ///< Nobody stores what is sent.
        refused      ///< Anything else; `text` says it.
    };
    kind what = kind::stored;
    position at = 0;  ///< Of `stored`: the message.
    std::string text{};
};

/// Messages on their way to the stream. Not thread-safe. After a failure it is of no more use, and what was
/// on its way may or may not be stored.
class outbox {
public:
    virtual ~outbox() = default;
    /// Sends the message of position `after + 1` without waiting, under the condition that the stream's last
    /// one is `after`. With `acknowledge`, `next` will tell of it.
    virtual result<void> send(message const& what, position after, bool acknowledge) = 0;
    /// In the order of sending; none: none came within `patience`. `unavailable`: the connection was lost.
    virtual result<std::optional<acknowledgement>> next(std::chrono::milliseconds patience) = 0;
};

struct delivery {
    position sequence = 0;     ///< In the stream; 0: not known.
    std::int64_t pending = 0;  ///< Messages that the server has yet to send.
    std::string_view payload;  ///< Valid until the next call.
};

/// Messages of the stream in order. Not thread-safe. After a failure it is of no more use.
class inbox {
public:
    virtual ~inbox() = default;
    /// None: none came within `patience`. `unavailable`: the connection or the consumer was lost.
    virtual result<std::optional<delivery>> next(std::chrono::milliseconds patience) = 0;
};

/// Safe to call from any thread. What is away is `unavailable`, what does not answer in time is `timeout`.
class jetstream {
public:
    virtual ~jetstream() = default;

    [[nodiscard]] virtual bool connected() const = 0;
    /// True as soon as there is a connection; false when there is none within `patience`.
    virtual bool wait_connected(std::chrono::milliseconds patience) const = 0;

    /// None: there is no such stream.
    [[nodiscard]] virtual result<std::optional<stream_state>> find_stream(std::string const& name) = 0;
    /// Without limits, on disk. A stream of that name that is there already is left as it is.
    [[nodiscard]] virtual result<void> create_stream(stream_settings const& settings) = 0;
    /// Nothing happens where there is none.
    [[nodiscard]] virtual result<void> delete_stream(std::string const& name) = 0;
    /// None: there is no such message.
    [[nodiscard]] virtual result<std::optional<std::string>> payload_at(std::string const& stream,
                                                                        std::int64_t sequence) = 0;
    [[nodiscard]] virtual result<std::unique_ptr<outbox>> open_outbox() = 0;
    /// From the message `first` on; from the last one where there are fewer (nats-server 2.9 moves a consumer
    /// back so). `ask_events` are asked for at a time, and twice as many are under way.
    [[nodiscard]] virtual result<std::unique_ptr<inbox>> open_inbox(std::string const& stream,
                                                                    std::int64_t first,
                                                                    std::size_t ask_events) = 0;
};

}  // namespace linkledger::eventlog::mirror
