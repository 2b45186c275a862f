#include "projections/moments.h"

#include <algorithm>
#include <charconv>

namespace linkledger::projections {
namespace {

using eventlog::recorded_event;
using eventlog::result;
using eventlog::version;

constexpr std::size_t stream_page_events = 1'000;
constexpr version cut_page = 64;

}  // namespace

std::optional<moment> parse_moment(std::string_view text) {
    eventlog::position at = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), at);
    if (error == std::errc{} && end == text.data() + text.size() && at >= 0) return moment{at};
    if (auto const time = domain::parse_timestamp(text)) return moment{*time};
    return std::nullopt;
}

bool includes(moment const& at, recorded_event const& event) {
    if (auto const* position = std::get_if<eventlog::position>(&at)) return event.position <= *position;
    return event.recorded_at <= std::get<domain::timestamp>(at);
}

result<std::vector<recorded_event>> read_until(eventlog::event_log& log, std::string const& stream,
                                               moment const& at) {
    std::vector<recorded_event> events;
    for (;;) {
        auto const after = events.empty() ? 0 : events.back().version;
        BOOST_OUTCOME_TRY(auto page, log.read_stream(stream, after, stream_page_events));
        auto const end = std::find_if(page.begin(), page.end(),
                                      [&](recorded_event const& event) { return !includes(at, event); });
        bool const more = end == page.end() && page.size() == stream_page_events;
        std::move(page.begin(), end, std::back_inserter(events));
        if (!more) return events;
    }
}

result<version> version_at(eventlog::event_log& log, std::string const& stream, moment const& at) {
    BOOST_OUTCOME_TRY(version high, log.stream_version(stream));
    version low = 0;  // Versions up to `low` are in, those beyond `high` are out.
    while (low < high) {
        version const middle = low + (high - low + 1) / 2;
        BOOST_OUTCOME_TRY(auto const found, log.read_stream(stream, middle - 1, 1));
        if (!found.empty() && includes(at, found.front()))
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

result<time_cut> cut_at(eventlog::event_log& log, std::string const& stream, version last) {
    time_cut cut;
    for (version end = last; end > 0;) {
        version const begin = std::max<version>(0, end - cut_page);
        BOOST_OUTCOME_TRY(auto page, log.read_stream(stream, begin, static_cast<std::size_t>(end - begin)));
        if (page.empty()) return cut;
        if (end == last) {
            cut.position = page.back().position;
            cut.before = page.back().recorded_at;
        }
        for (auto event = page.rbegin(); event != page.rend(); ++event) {
            if (event->recorded_at != cut.before) return cut;
            cut.ids.push_back(event->body.event_id);
        }
        end = begin;
    }
    return cut;
}

}  // namespace linkledger::projections
