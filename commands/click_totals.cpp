#include "commands/click_totals.h"

#include "domain/event.h"

#include <algorithm>
#include <chrono>

namespace linkledger::commands {
namespace {

constexpr std::size_t shares_max = 50;

/// As the statistics show them: most clicks first.
std::vector<domain::click::settled_share> largest(
    std::map<std::optional<std::string>, std::int64_t> const& counts) {
    std::vector<domain::click::settled_share> found;
    for (auto const& [value, clicks] : counts) found.push_back({value, clicks});
    std::stable_sort(found.begin(), found.end(),
                     [](auto const& a, auto const& b) { return a.clicks > b.clicks; });
    if (found.size() > shares_max) found.resize(shares_max);
    return found;
}

template <typename Visitors>
void tidy(Visitors& all) {
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
}

std::uint8_t nibble(char c) {
    return static_cast<std::uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10);
}

}  // namespace

std::string_view link_part_of(std::string_view stream) {
    return stream.substr(std::min(stream.size(), stream.find('-') + 1));
}

void click_totals::add(domain::click::clicked const& click, domain::timestamp at) {
    if (click.is_bot) {
        ++bots_;
        return;
    }
    ++clicks_;
    ++countries_[click.country_code];
    ++devices_[click.device_type];
    ++browsers_[click.browser];
    ++systems_[click.os];
    ++referrers_[click.referer_domain];
    auto const into_day = at - std::chrono::floor<std::chrono::days>(at);
    auto& here = hours_[static_cast<std::size_t>(std::chrono::floor<std::chrono::hours>(into_day).count())];
    ++here.clicks;
    visitor who{};
    if (!click.personal || click.personal->visitor.size() != 2 * who.size()) return;
    for (std::size_t i = 0; i < who.size(); ++i) {
        who[i] = static_cast<std::uint8_t>(nibble(click.personal->visitor[2 * i]) << 4 |
                                           nibble(click.personal->visitor[2 * i + 1]));
    }
    here.visitors.push_back(who);
    if (here.visitors.size() < here.tidy_at) return;
    tidy(here.visitors);
    here.tidy_at = std::max(here.tidy_at, 2 * here.visitors.size());
}

domain::click::settled click_totals::finish(domain::link_id const& link, std::string const& day,
                                            domain::uuid const& key) {
    domain::click::settled made;
    made.link_id = link;
    made.day = day;
    made.key_id = key;
    made.clicks = clicks_;
    made.bots = bots_;
    std::vector<visitor> whole_day;
    for (std::size_t i = 0; i < hours_.size(); ++i) {
        auto& [clicks, visitors, tidy_at] = hours_[i];
        if (clicks == 0) continue;
        tidy(visitors);
        made.hours.push_back({static_cast<int>(i), clicks, static_cast<std::int64_t>(visitors.size())});
        whole_day.insert(whole_day.end(), visitors.begin(), visitors.end());
        visitors.clear();
    }
    tidy(whole_day);
    made.unique_clicks = static_cast<std::int64_t>(whole_day.size());
    made.countries = largest(countries_);
    made.devices = largest(devices_);
    made.browsers = largest(browsers_);
    made.operating_systems = largest(systems_);
    made.referrers = largest(referrers_);
    return made;
}

}  // namespace linkledger::commands
