#include "projections/read_model_check.h"

#include "eventlog/codec.h"
#include "projections/accounts/accounts_check.h"
#include "projections/realtime/realtime_check.h"
#include "projections/sql_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace linkledger::projections {
namespace {

using domain::link_id;
using eventlog::position;
using eventlog::recorded_event;
using eventlog::result;

constexpr std::size_t differences_max = 1'000;
constexpr std::size_t log_page_events = 4'000;

struct link_totals {
    std::int64_t total = 0;
    std::int64_t unique = 0;
    std::int64_t erased = 0;                     ///< Clicks whose visitor can no longer be known.
    std::map<std::string, std::int64_t> days{};  ///< Uniques counted one by one; gone once settled.
};
struct click_counts {
    std::int64_t people = 0;
    std::int64_t bots = 0;
    bool operator==(click_counts const&) const = default;
};

/// What a projection's tables say, and as of when.
struct stored_links {
    position at = 0;
    std::unordered_map<link_id, link_totals> links;
};
struct stored_clicks {
    position at = 0;
    std::unordered_map<link_id, click_counts> links;
};
struct stored_audit {
    position at = 0;
    std::map<position, std::string> actions;
};

stored_links read_links(read_store& store) {
    stored_links made;
    store.read("links", [&](snapshot const& now) {
        made.at = now.position;
        now.rows.query(at_version("SELECT id, total_clicks, unique_clicks FROM links_vN", now.build.version),
                       {}, [&](sql::row const& r) {
                           made.links[link_id{r.id(0)}] = {r.integer(1), r.integer(2), 0, {}};
                       });
    });
    return made;
}

stored_clicks read_clicks(read_store& store) {
    stored_clicks made;
    store.read("clicks", [&](snapshot const& now) {
        made.at = now.position;
        now.rows.query("SELECT link_id, is_bot, count(*) FROM clicks_v1 GROUP BY link_id, is_bot", {},
                       [&](sql::row const& r) {
                           auto& counts = made.links[link_id{r.id(0)}];
                           (r.boolean(1) ? counts.bots : counts.people) = r.integer(2);
                       });
    });
    return made;
}

stored_audit read_audit(read_store& store) {
    stored_audit made;
    store.read("audit_logs", [&](snapshot const& now) {
        made.at = now.position;
        now.rows.query("SELECT position, action FROM audit_logs_v1", {},
                       [&](sql::row const& r) { made.actions[r.integer(0)] = r.text(1); });
    });
    return made;
}

class comparison {
public:
    comparison(eventlog::keyring& keys, read_store& store)
        : keys_(keys),
          links_(read_links(store)),
          clicks_(read_clicks(store)),
          audit_(read_audit(store)),
          counters_(store),
          accounts_(store) {
        report_.position = std::max({links_.at, clicks_.at, audit_.at, counters_.until(), accounts_.until()});
    }

    [[nodiscard]] position until() const { return report_.position; }

    result<void> fold(recorded_event const& event) {
        if (event.body.type == "link.clicked") {
            BOOST_OUTCOME_TRY(auto const decoded, eventlog::decode(event, keys_));
            auto const& click = std::get<domain::click::clicked>(decoded);
            count(event, click);
            counters_.fold(event, click);
            return boost::outcome_v2::success();
        }
        BOOST_OUTCOME_TRY(accounts_.fold(event));
        if (event.body.type == "clicks.settled") {
            if (event.position > links_.at) return boost::outcome_v2::success();
            BOOST_OUTCOME_TRY(auto const decoded, eventlog::decode(event.body.type, event.body.schema_version,
                                                                   event.body.data, std::nullopt));
            settle(std::get<domain::click::settled>(decoded));
            return boost::outcome_v2::success();
        }
        if (event.body.type == "link.created" && event.position <= links_.at) {
            BOOST_OUTCOME_TRY(auto const decoded, eventlog::decode(event.body.type, event.body.schema_version,
                                                                   event.body.data, std::nullopt));
            folded_links_[std::get<domain::link::created>(decoded).link_id];
        }
        if (event.position <= audit_.at) look_up(event);
        return boost::outcome_v2::success();
    }

    read_model_report finish() {
        for (auto const& [at, action] : audit_.actions)
            note(at, "audit_logs", "a row (" + action + ") that no event of the log explains");
        compare_links();
        compare_clicks();
        counters_.compare([this](std::string what) { note(0, "realtime", std::move(what)); });
        accounts_.compare([this](std::string what) { note(0, "accounts", std::move(what)); });
        return std::move(report_);
    }

private:
    void count(recorded_event const& event, domain::click::clicked const& click) {
        if (event.position <= clicks_.at) {
            auto& counts = folded_clicks_[click.link_id];
            ++(click.is_bot ? counts.bots : counts.people);
        }
        if (click.is_bot || event.position > links_.at) return;
        auto& link = folded_links_[click.link_id];
        ++link.total;
        if (!click.personal || click.personal->visitor.empty()) {
            ++link.erased;
        } else if (visitors_.insert(domain::to_string(click.link_id) + click.personal->visitor).second) {
            ++link.unique;
            ++link.days[domain::to_utc_day(event.body.occurred_at)];
        }
    }

    void settle(domain::click::settled const& day) {
        auto& link = folded_links_[day.link_id];
        link.unique += day.unique_clicks - link.days[day.day];
        link.days.erase(day.day);
        if (link.erased > 0) link.erased -= std::min(link.erased, day.clicks);
    }

    /// Rows that were found are taken away; what is left at the end has no event.
    void look_up(recorded_event const& event) {
        auto const row = audit_.actions.find(event.position);
        if (row == audit_.actions.end())
            return note(event.position, "audit_logs", "the row of " + event.body.type + " is missing");
        if (row->second != event.body.type)
            note(event.position, "audit_logs",
                 "the row says " + row->second + ", the log " + event.body.type);
        audit_.actions.erase(row);
    }

    void compare_links() {
        for (auto const& [id, wanted] : folded_links_) {
            auto const found = links_.links.find(id);
            if (found == links_.links.end()) {
                note(0, "links", "link " + to_string(id) + " is missing");
                continue;
            }
            auto const& stored = found->second;
            if (stored.total != wanted.total)
                note(0, "links",
                     fmt::format("link {}: total_clicks is {}, the log has {}", to_string(id), stored.total,
                                 wanted.total));
            if (stored.unique < wanted.unique || stored.unique > wanted.unique + wanted.erased)
                note(0, "links",
                     fmt::format("link {}: unique_clicks is {}, the log has {}", to_string(id), stored.unique,
                                 wanted.unique));
        }
        for (auto const& [id, stored] : links_.links)
            if (!folded_links_.contains(id)) note(0, "links", "link " + to_string(id) + " is not in the log");
    }

    void compare_clicks() {
        auto all = clicks_.links;
        for (auto const& [id, wanted] : folded_clicks_) {
            auto const stored = all[id];
            if (stored != wanted)
                note(0, "clicks",
                     fmt::format("link {}: {} clicks and {} of bots, the log has {} and {}", to_string(id),
                                 stored.people, stored.bots, wanted.people, wanted.bots));
            all.erase(id);
        }
        for (auto const& [id, stored] : all)
            note(0, "clicks",
                 fmt::format("link {}: {} clicks that are not in the log", to_string(id),
                             stored.people + stored.bots));
    }

    void note(position at, std::string model, std::string what) {
        if (report_.differences.size() < differences_max)
            report_.differences.push_back({at, std::move(model), std::move(what)});
    }

    eventlog::keyring& keys_;
    stored_links links_;
    stored_clicks clicks_;
    stored_audit audit_;
    realtime::counter_check counters_;
    accounts::accounts_check accounts_;
    std::unordered_map<link_id, link_totals> folded_links_;
    std::unordered_map<link_id, click_counts> folded_clicks_;
    std::unordered_set<std::string> visitors_;
    read_model_report report_;
};

}  // namespace

result<read_model_report> check_read_models(eventlog::event_log& log, eventlog::keyring& keys,
                                            read_store& store,
                                            std::function<void(position, position)> const& progress) {
    comparison both{keys, store};
    eventlog::read_query query;
    query.until = both.until();
    query.limit = log_page_events;
    while (query.after < query.until) {
        BOOST_OUTCOME_TRY(auto const page, log.read(query));
        for (recorded_event const& event : page.events) {
            BOOST_OUTCOME_TRY(both.fold(event));
        }
        if (page.scanned_to <= query.after)
            return eventlog::failure{eventlog::failure_code::corrupted,
                                     "the read models are ahead of the log"};
        query.after = page.scanned_to;
        if (progress) progress(query.after, query.until);
    }
    return both.finish();
}

}  // namespace linkledger::projections
