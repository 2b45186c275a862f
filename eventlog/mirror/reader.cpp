#include "eventlog/mirror/reader.h"

#include "eventlog/mirror/stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace linkledger::eventlog::mirror {
namespace {

using steady = std::chrono::steady_clock;
using std::chrono::milliseconds;

}  // namespace

struct reader::state {
    state(jetstream& mirror, history const& whose, position after, std::size_t ask)
        : from(mirror), of(whose), last(after), ask_events(ask) {}

    [[nodiscard]] result<bool> fetch(milliseconds patience);
    [[nodiscard]] result<std::optional<recorded_event>> take();

    jetstream& from;
    history of;
    position last;
    std::int64_t pending = 0;
    std::size_t ask_events;
    std::unique_ptr<inbox> in;
    std::optional<delivery> held;  ///< Fetched and not taken yet.
};

/// True: `held` holds a message.
result<bool> reader::state::fetch(milliseconds patience) {
    if (!in) {
        BOOST_OUTCOME_TRY(in, from.open_inbox(stream_name, last + 1, ask_events));
    }
    if (!held) {
        BOOST_OUTCOME_TRY(held, in->next(patience));
    }
    return held.has_value();
}

/// None: it was one from before the beginning, which a consumer made at the very end may send.
result<std::optional<recorded_event>> reader::state::take() {
    auto const arrived = *std::exchange(held, std::nullopt);
    auto read = decode(arrived.payload);
    if (!read) return std::move(read).error();
    auto& [history_read, event] = read.value();
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

reader::reader(jetstream& from, history const& of, position after, std::size_t ask_events)
    : state_(std::make_unique<state>(from, of, after, ask_events)) {}

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
