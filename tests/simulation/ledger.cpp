// Rules of the log, and answers looked up in it.

#include "tests/simulation/ledger.h"

#include "domain/streams.h"
#include "eventlog/codec.h"

namespace linkledger::simulation {

namespace {

namespace link = domain::link;
namespace click = domain::click;

std::string tag_of(domain::event const& event) {
    if (auto const* made = std::get_if<link::created>(&event)) return made->title.value_or("");
    if (auto const* clicked = std::get_if<click::clicked>(&event))
        return clicked->referer_domain.value_or("");
    auto const* changed = std::get_if<link::updated>(&event);
    if (changed != nullptr && changed->after.title) return changed->after.title->value_or("");
    return {};
}

std::string place_of(eventlog::position at) {
    return " (position " + std::to_string(at) + ")";
}

}  // namespace

void ledger::look() {
    eventlog::read_query query;
    query.after = head();
    query.limit = 100'000;
    auto const page = log_.read(query);
    must(page.has_value(), "the log can be read");
    for (auto const& stored : page.value().events) {
        must(stored.position == head() + 1, "positions have no gap" + place_of(stored.position));
        must(stored.version == ++versions_[stored.stream],
             "versions have no gap" + place_of(stored.position));
        must(events_.empty() || events_.back().stored.recorded_at <= stored.recorded_at,
             "recorded_at does not decrease" + place_of(stored.position));
        auto decoded = eventlog::decode(stored, keys_);
        must(decoded.has_value(), "events can be read" + place_of(stored.position));
        auto tag = tag_of(decoded.value());
        if (!tag.empty()) by_tag_[tag].push_back(events_.size());
        events_.push_back({stored, std::move(decoded).value(), std::move(tag)});
    }
}

std::int64_t ledger::clicks_of(std::string const& id) const {
    auto const found = versions_.find("clicks-" + id);
    return found == versions_.end() ? 0 : found->second;
}

void ledger::check_answers(std::vector<operation> const& operations,
                           std::map<std::string, std::int64_t> const& caps) const {
    for (auto const& one : operations) {
        auto const found = by_tag_.find(one.tag);
        std::size_t const times = found == by_tag_.end() ? 0 : found->second.size();
        must(times <= 1, one.tag + " was carried out " + std::to_string(times) + " times");
        if (!one.is_over) continue;
        must(one.was_accepted || times == 0, one.tag + " was refused and carried out");
        if (!one.was_accepted) continue;
        must(times == 1, one.tag + " was acknowledged and is lost");
        auto const& event = events_[found->second.front()].stored;
        bool const is_there = one.position == 0 || event.position == one.position;
        must(is_there, one.tag + " is not where the answer says");
        must(one.stream.empty() || (event.stream == one.stream && event.version == one.version),
             one.tag + " is not the version that the answer says");
    }
    for (auto const& [id, cap] : caps)
        must(clicks_of(id) <= cap,
             "link " + id + " took " + std::to_string(clicks_of(id)) + " clicks of " + std::to_string(cap));
}

folded_links ledger::fold(eventlog::position until) const {
    folded_links links;
    for (auto const& [stored, event, tag] : events_) {
        if (stored.position > until) break;
        if (auto const* made = std::get_if<link::created>(&event)) {
            links[domain::to_string(made->link_id.value)].title = made->title.value_or("");
        } else if (auto const* clicked = std::get_if<click::clicked>(&event)) {
            ++links[domain::to_string(clicked->link_id.value)].clicks;
        } else if (auto const* changed = std::get_if<link::updated>(&event)) {
            if (changed->after.title)
                links[domain::to_string(changed->link_id.value)].title = changed->after.title->value_or("");
        }
    }
    return links;
}

}  // namespace linkledger::simulation
