// The rules of nats-server 2.9, as tried on the real one, and how it may fail.

#include "tests/simulation/sim_mirror.h"

#include <algorithm>
#include <utility>

namespace linkledger::simulation {

namespace {

namespace mirror = eventlog::mirror;
using eventlog::failure;
using eventlog::failure_code;
using eventlog::result;
using kind = mirror::acknowledgement::kind;

failure call_failed() {
    return {failure_code::timeout, "JetStream does not answer"};
}

class sim_outbox final : public mirror::outbox {
public:
    sim_outbox(sim_nats_server& server, std::shared_ptr<sim_nats_server::wire> by)
        : server_(server), wire_(std::move(by)) {}

    result<void> send(mirror::message const& what, eventlog::position after, bool acknowledge) override {
        if (wire_->is_broken) return broken();
        wire_->letters.push_back({what.payload, after, acknowledge});
        return boost::outcome_v2::success();
    }
    /// Who waits sees what was sent arrive.
    result<std::optional<mirror::acknowledgement>> next(std::chrono::milliseconds patience) override {
        if (patience.count() > 0 && !server_.is_away()) server_.deliver(*wire_, wire_->letters.size());
        if (!wire_->answers.empty()) {
            auto answer = std::move(wire_->answers.front());
            wire_->answers.pop_front();
            return std::optional{std::move(answer)};
        }
        if (wire_->is_broken) return broken();
        return std::optional<mirror::acknowledgement>{};
    }

private:
    static failure broken() { return {failure_code::unavailable, "the connection was lost"}; }

    sim_nats_server& server_;
    std::shared_ptr<sim_nats_server::wire> wire_;
};

class sim_inbox final : public mirror::inbox {
public:
    sim_inbox(sim_nats_server& server, std::int64_t of, std::int64_t first)
        : server_(server), created_(of), next_(first) {}

    result<std::optional<mirror::delivery>> next(std::chrono::milliseconds) override {
        if (server_.fails()) return failure{failure_code::unavailable, "the connection was lost"};
        auto const& stream = server_.stream();
        if (!stream || stream->is.created != created_) {
            // A consumer goes with its stream. Its reader hears of that, or of nothing any more.
            if (server_.happens()) return failure{failure_code::unavailable, "the consumer is gone"};
            return std::optional<mirror::delivery>{};
        }
        next_ = std::max(next_, stream->is.first);
        if (next_ > stream->is.last) return std::optional<mirror::delivery>{};
        given_ = stream->messages[static_cast<std::size_t>(next_ - stream->is.first)].payload;
        mirror::delivery const delivered{next_, stream->is.last - next_, given_};
        ++next_;
        return std::optional{delivered};
    }

private:
    sim_nats_server& server_;
    std::int64_t const created_;
    std::int64_t next_;
    std::string given_;
};

}  // namespace

// ---- The server -------------------------------------------------------------------------------------------

std::shared_ptr<sim_nats_server::wire> sim_nats_server::open_wire() {
    std::erase_if(wires_, [](auto const& each) { return each.use_count() == 1 && each->letters.empty(); });
    return wires_.emplace_back(std::make_shared<wire>());
}

void sim_nats_server::deliver(wire& from, std::size_t count) {
    for (; count > 0 && !from.letters.empty(); --count) {
        auto const letter = std::move(from.letters.front());
        from.letters.pop_front();
        mirror::acknowledgement answer;
        if (!stream_) {
            answer = {kind::no_stream, 0, "there is no stream"};
        } else if (stream_->is.last != letter.after && bug_ != canary::mirrored_anyway) {
            answer = {kind::wrong_last, 0, "wrong last sequence"};
        } else {
            answer.at = letter.after + 1;
            stream_->messages.push_back({letter.payload});
            if (stream_->is.first == 0) stream_->is.first = 1;
            ++stream_->is.last;
            ++stream_->is.messages;
            stored_(stream_->is.last, letter.payload);
        }
        if (letter.acknowledge) from.answers.push_back(std::move(answer));
    }
}

void sim_nats_server::deliver_some() {
    if (wires_.empty() || is_away_) return;
    deliver(*wires_[below(wires_.size())], 1 + below(8));
}

void sim_nats_server::deliver_all() {
    for (auto const& each : wires_) deliver(*each, each->letters.size());
}

void sim_nats_server::create(mirror::stream_settings const& settings) {
    if (stream_) return;
    stream_.emplace();
    stream_->is.created = ++streams_made_;
    stream_->is.description = settings.description;
}

void sim_nats_server::have_trouble() {
    auto const dice = below(12);
    if (dice < 3) {
        // Of what a broken connection had taken, a beginning arrives.
        for (auto const& each : wires_) {
            deliver(*each, below(each->letters.size() + 1));
            each->letters.clear();
            each->answers.clear();
            each->is_broken = true;
        }
    } else if (dice < 7) {
        is_away_ = below(2) == 0;
    } else if (dice < 8) {
        remove();
    } else {
        damage();
    }
}

/// What JetStream has been seen to do (architecture.md), and what an operator may.
void sim_nats_server::damage() {
    if (!stream_ || stream_->messages.empty()) return;
    auto& [is, messages] = *stream_;
    auto const dice = below(4);
    if (dice == 0) {  // Acknowledged writes at the end are lost.
        auto const lost = 1 + below(std::min<std::uint64_t>(messages.size(), 5));
        for (std::uint64_t i = 0; i < lost; ++i) messages.pop_back();
        is.last -= static_cast<std::int64_t>(lost);
        is.messages -= static_cast<std::int64_t>(lost);
    } else if (dice == 1) {  // A purge of the beginning: sequences stay.
        auto const lost = 1 + below(messages.size());
        for (std::uint64_t i = 0; i < lost; ++i) messages.pop_front();
        is.first += static_cast<std::int64_t>(lost);
        is.messages -= static_cast<std::int64_t>(lost);
    } else if (dice == 2) {
        messages[below(messages.size())] = {"no event", true};
    } else if (messages.size() > 1) {
        auto const one = below(messages.size()), other = below(messages.size());
        if (one == other || messages[one].is_damaged || messages[other].is_damaged) return;
        std::swap(messages[one].payload, messages[other].payload);
        messages[one].is_damaged = messages[other].is_damaged = true;
    }
}

bool sim_nats_server::holds_damage() const {
    if (!stream_) return true;
    auto const& messages = stream_->messages;
    return std::any_of(messages.begin(), messages.end(), [](auto const& each) { return each.is_damaged; });
}

// ---- A connection -----------------------------------------------------------------------------------------

result<std::optional<mirror::stream_state>> sim_jetstream::find_stream(std::string const&) {
    if (server_.fails()) return call_failed();
    auto const& stream = server_.stream();
    return stream ? std::optional{stream->is} : std::nullopt;
}

result<void> sim_jetstream::create_stream(mirror::stream_settings const& settings) {
    if (server_.is_away()) return call_failed();
    bool const is_answered = !server_.fails();
    if (is_answered || server_.happens()) server_.create(settings);
    if (!is_answered) return call_failed();
    return boost::outcome_v2::success();
}

result<void> sim_jetstream::delete_stream(std::string const&) {
    if (server_.is_away()) return call_failed();
    bool const is_answered = !server_.fails();
    if (is_answered || server_.happens()) server_.remove();
    if (!is_answered) return call_failed();
    return boost::outcome_v2::success();
}

result<std::optional<std::string>> sim_jetstream::payload_at(std::string const&, std::int64_t sequence) {
    if (server_.fails()) return call_failed();
    auto const& stream = server_.stream();
    if (!stream || sequence < stream->is.first || sequence > stream->is.last)
        return std::optional<std::string>{};
    return std::optional{stream->messages[static_cast<std::size_t>(sequence - stream->is.first)].payload};
}

result<std::unique_ptr<mirror::outbox>> sim_jetstream::open_outbox() {
    if (server_.is_away()) return call_failed();
    return std::unique_ptr<mirror::outbox>{std::make_unique<sim_outbox>(server_, server_.open_wire())};
}

result<std::unique_ptr<mirror::inbox>> sim_jetstream::open_inbox(std::string const&, std::int64_t first,
                                                                 std::size_t) {
    if (server_.fails()) return call_failed();
    auto const& stream = server_.stream();
    if (!stream) return failure{failure_code::unavailable, "there is no stream"};
    // Beyond the end: moved back to it, and then its last message may come.
    if (first > stream->is.last) first = stream->is.last + (server_.happens() ? 0 : 1);
    return std::unique_ptr<mirror::inbox>{
        std::make_unique<sim_inbox>(server_, stream->is.created, std::max<std::int64_t>(first, 1))};
}

}  // namespace linkledger::simulation
