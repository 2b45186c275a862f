#include "eventlog/postgres_forecast.h"

#include "eventlog/crypto.h"

#include <algorithm>
#include <functional>

namespace linkledger::eventlog {
namespace {

constexpr std::size_t entries = 1u << 16;

std::uint64_t tag_of(std::string_view stream) {
    return std::hash<std::string_view>{}(stream);
}

}  // namespace

postgres_forecast::postgres_forecast() : versions_(entries) {}

timestamp postgres_forecast::recorded_at() const {
    return std::max(now(), recorded_at_);
}

version postgres_forecast::version_of(std::string_view stream) const {
    auto const tag = tag_of(stream);
    entry const& found = versions_[tag % entries];
    return found.tag == tag ? found.at : 0;
}

void postgres_forecast::note(std::string_view stream, version at) {
    auto const tag = tag_of(stream);
    versions_[tag % entries] = {tag, at};
}

void postgres_forecast::learn(append_batch const& batch, batch_outcome const& outcome) {
    // What a resent batch found was before the first answer was lost: others may have written since.
    bool const is_first = head_ < 0;
    likely_ = !outcome.resent && (is_first || outcome.first_position == head_ + 1);
    head_ = outcome.first_position - 1;
    for (std::size_t i = 0; i < outcome.outcomes.size(); ++i) {
        auto const& streams = batch.appends[i].streams;
        if (auto const* const done = std::get_if<appended>(&outcome.outcomes[i])) {
            head_ = std::max(head_, done->last_position);
            recorded_at_ = std::max(recorded_at_, done->recorded_at);
            for (std::size_t k = 0; k < streams.size(); ++k) note(streams[k].stream, done->versions[k]);
        } else if (auto const* const conflict = std::get_if<version_conflict>(&outcome.outcomes[i])) {
            note(conflict->stream, conflict->actual);
        }
    }
}

}  // namespace linkledger::eventlog
