#pragma once
// JetStream as the mirror sees it: a stream on a server that loses, delays and damages, and connections to
// it.

#include "eventlog/mirror/jetstream.h"
#include "tests/simulation/committer_gate.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace linkledger::simulation {

class sim_nats_server {
public:
    using position = eventlog::position;
    /// What an outbox has sent and what came back. It outlives its outbox: what is on its way may arrive.
    struct wire {
        struct letter {
            std::string payload;
            position after;
            bool acknowledge;
        };
        std::deque<letter> letters;
        std::deque<eventlog::mirror::acknowledgement> answers;
        bool is_broken = false;
    };
    struct kept_message {
        std::string payload;
        bool is_damaged = false;
    };
    struct kept_stream {
        eventlog::mirror::stream_state is;
        std::deque<kept_message> messages;  ///< The first one has the sequence `is.first`.
    };

    /// Chance is the run's. `stored` is told of each message that the stream takes, by sequence.
    sim_nats_server(std::mt19937_64& random, canary bug,
                    std::function<void(position, std::string const&)> stored)
        : random_(random), bug_(bug), stored_(std::move(stored)) {}

    // ---- The simulation's side ----

    /// Lets some of what is on its way arrive.
    void deliver_some();
    void deliver_all();
    /// One of: the connections break, the server is away or back, the stream is lost, its end, its beginning,
    /// or what a message holds.
    void have_trouble();
    /// No more trouble; what was damaged stays so.
    void be_well() { is_well_ = true, is_away_ = false; }
    [[nodiscard]] std::optional<kept_stream> const& stream() const { return stream_; }
    [[nodiscard]] bool holds_damage() const;

    // ---- The connections' side ----

    [[nodiscard]] bool is_away() const { return is_away_; }
    /// Now and then a call fails for no reason.
    [[nodiscard]] bool fails() { return is_away_ || (!is_well_ && below(24) == 0); }
    [[nodiscard]] bool happens() { return below(2) == 0; }
    [[nodiscard]] std::shared_ptr<wire> open_wire();
    void deliver(wire& from, std::size_t count);
    void create(eventlog::mirror::stream_settings const& settings);
    void remove() { stream_.reset(); }

private:
    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
    void damage();

    std::mt19937_64& random_;
    canary const bug_;
    std::function<void(position, std::string const&)> stored_;
    std::vector<std::shared_ptr<wire>> wires_;
    std::optional<kept_stream> stream_;
    std::int64_t streams_made_ = 0;
    bool is_away_ = false, is_well_ = false;
};

/// One process's connection.
class sim_jetstream final : public eventlog::mirror::jetstream {
public:
    explicit sim_jetstream(sim_nats_server& server) : server_(server) {}

    [[nodiscard]] bool connected() const override { return !server_.is_away(); }
    bool wait_connected(std::chrono::milliseconds) const override { return connected(); }
    [[nodiscard]] eventlog::result<std::optional<eventlog::mirror::stream_state>> find_stream(
        std::string const& name) override;
    [[nodiscard]] eventlog::result<void> create_stream(
        eventlog::mirror::stream_settings const& settings) override;
    [[nodiscard]] eventlog::result<void> delete_stream(std::string const& name) override;
    [[nodiscard]] eventlog::result<std::optional<std::string>> payload_at(std::string const& stream,
                                                                          std::int64_t sequence) override;
    [[nodiscard]] eventlog::result<std::unique_ptr<eventlog::mirror::outbox>> open_outbox() override;
    [[nodiscard]] eventlog::result<std::unique_ptr<eventlog::mirror::inbox>> open_inbox(
        std::string const& stream, std::int64_t first, std::size_t ask_events) override;

private:
    sim_nats_server& server_;
};

}  // namespace linkledger::simulation
