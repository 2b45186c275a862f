#include "tests/chaos/check.h"

#include "cli/composition.h"
#include "eventlog/mirror/stream.h"
#include "eventlog/mirror/verification.h"
#include "projections/read_model_check.h"
#include "projections/realtime/redis_guard.h"
#include "projections/registry.h"

#include <boost/json.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <thread>
#include <unordered_map>

namespace linkledger::chaos {
namespace {

using namespace std::chrono_literals;
using eventlog::position;
using steady = std::chrono::steady_clock;

constexpr std::size_t details_max = 30;

cli::configuration configuration_of(test::variables const& all) {
    return cli::read_configuration([&](std::string const& name) -> std::optional<std::string> {
        auto const found = all.find(name);
        return found == all.end() ? std::nullopt : std::optional{found->second};
    });
}

class checker {
public:
    checker(cluster& of, std::chrono::seconds patience)
        : cluster_(of),
          patience_(patience),
          from_(configuration_of(of.environment())),
          log_(cli::open_log(from_)),
          nats_(cli::nats_options_of(from_, "chaos")) {}

    verdict run(std::vector<acknowledged> const& answers) {
        head_ = cli::value_or_fail(log_.log->head(), "the log").last;
        settle();
        found_.settled_at = steady::now();
        read_log();
        compare_answers(answers);
        compare_mirror();
        compare_counters();
        compare_read_models();
        return std::move(found_);
    }

private:
    void tell(std::string text) {
        if (found_.details.size() < details_max) found_.details.push_back(std::move(text));
    }

    /// Until everything is at the head.
    void settle() {
        auto const store = cli::open_read_store(from_);
        auto const until = steady::now() + patience_;
        std::vector<std::string> behind;
        do {
            behind.clear();
            cluster_.supervise();
            for (auto const& each : projections::create_all()) {
                std::string const name{each->name()};
                store->read(name, [&](projections::snapshot const& seen) {
                    if (seen.position < head_)
                        behind.push_back(fmt::format("{} is at {} of {}", name, seen.position, head_));
                });
            }
            auto const stream = nats_.find_stream(eventlog::mirror::stream_name);
            position const mirrored = stream && stream.value() ? stream.value()->last : 0;
            if (mirrored < head_) behind.push_back(fmt::format("the mirror is at {} of {}", mirrored, head_));
            if (behind.empty()) return;
            std::this_thread::sleep_for(100ms);
        } while (steady::now() < until);
        found_.unsettled = static_cast<std::int64_t>(behind.size());
        for (auto const& each : behind) tell(each);
    }

    // ---- The log ------------------------------------------------------------------------------------------

    void read_log() {
        position last = 0;
        while (last < head_) {
            eventlog::read_query query;
            query.after = last;
            query.until = head_;
            query.limit = 5'000;
            auto const page = cli::value_or_fail(log_.log->read(query), "the log");
            for (auto const& event : page.events) {
                if (event.position != last + 1) {
                    ++found_.gaps;
                    tell(fmt::format("position {} follows {}", event.position, last));
                }
                last = event.position;
                remember(event);
            }
            if (page.events.empty()) break;
        }
        found_.events = last;
        if (last != head_) ++found_.gaps;
    }

    void remember(eventlog::recorded_event const& event) {
        auto const& type = event.body.type;
        auto const parsed = boost::json::parse(event.body.data);
        auto const& data = parsed.as_object();
        if (type == "link.clicked") count(event, data);
        auto const token = token_of(type, data);
        if (token.empty()) return;
        if (!positions_.emplace(token, event.position).second) {
            ++found_.twice;
            tell(fmt::format("{} of {} is at {} and at {}", token, type, positions_.at(token),
                             event.position));
        }
    }

    void count(eventlog::recorded_event const& event, boost::json::object const& data) {
        using projections::realtime::count_key;
        ++found_.clicks;
        auto const* const bot = data.if_contains("is_bot");
        if (bot != nullptr && bot->is_bool() && bot->get_bool()) return;
        auto const link = domain::parse_uuid(data.at("link_id").as_string().c_str());
        ++counters_[count_key(link.value(), true)];
        ++counters_[count_key(event.body.workspace_id, false)];
    }

    static std::string token_of(std::string const& type, boost::json::object const& data) {
        auto const text = [](boost::json::object const& of, char const* name) -> std::string {
            auto const* const value = of.if_contains(name);
            return value != nullptr && value->is_string() ? std::string{value->get_string()} : "";
        };
        if (type == "link.created") return text(data, "short_code");
        if (type == "link.updated") return text(data.at("after").as_object(), "title");
        if (type != "link.clicked") return {};
        auto const campaign = text(data, "utm_campaign");
        if (!campaign.empty()) return campaign;
        auto const domain = text(data, "referer_domain");
        return domain.substr(0, domain.find('.'));
    }

    void compare_answers(std::vector<acknowledged> const& answers) {
        for (auto const& answer : answers) {
            auto const there = positions_.find(answer.token);
            if (there == positions_.end()) {
                ++found_.missing;
                tell(answer.token + " was acknowledged and is not in the log");
            } else if (answer.at != 0 && answer.at != there->second) {
                ++found_.misplaced;
                tell(fmt::format("{} was acknowledged at {} and is at {}", answer.token, answer.at,
                                 there->second));
            }
        }
    }

    // ---- What is derived from it --------------------------------------------------------------------------

    void compare_mirror() {
        auto const seen =
            cli::value_or_fail(eventlog::mirror::verify(nats_, *log_.log, nullptr), "the mirror");
        found_.mirror_missing = seen.head - seen.compared;
        if (seen.difference) {
            ++found_.mirror_differences;
            tell("the mirror: " + *seen.difference);
        }
    }

    /// The run is shorter than a window, so a counter is the number of its clicks.
    void compare_counters() {
        found_.counters = static_cast<std::int64_t>(counters_.size());
        auto const until = steady::now() + patience_;
        std::vector<std::string> wrong;
        do {
            wrong.clear();
            for (auto const& [key, count] : counters_) {
                auto const stored = cluster_.redis().call({"GET", key}).text_or_empty();
                if (stored != std::to_string(count))
                    wrong.push_back(fmt::format("{} is '{}' in Redis, {} in the log", key, stored, count));
            }
            if (wrong.empty()) break;
            cluster_.supervise();
            std::this_thread::sleep_for(200ms);
        } while (steady::now() < until);
        found_.counter_differences = static_cast<std::int64_t>(wrong.size());
        for (auto const& each : wrong) tell(each);
        auto const keys = cluster_.redis().call({"KEYS", std::string{projections::realtime::key_pattern}});
        for (auto const& key : keys.list()) {
            bool const is_count = key.text().find(":window:") == std::string::npos &&
                                  key.text() != projections::realtime::guard_key;
            if (!is_count || counters_.contains(key.text())) continue;
            ++found_.counter_differences;
            tell(key.text() + " is in Redis, and nobody clicked it");
        }
    }

    void compare_read_models() {
        auto const live = cli::open_read_store(from_);
        auto const report = cli::value_or_fail(
            projections::check_read_models(*log_.log, *log_.keys, *live, nullptr), "the read models");
        found_.fold_differences = static_cast<std::int64_t>(report.differences.size());
        for (auto const& each : report.differences)
            tell(fmt::format("{} at {}: {}", each.model, each.at, each.what));

        auto fresh_from = from_;
        fresh_from.database_url = cluster_.postgres().fresh_database();
        cli::migrate_up(fresh_from);
        auto const fresh = build(fresh_from);
        for (auto const& each : projections::create_all()) compare_rows(*each, *live, *fresh);
    }

    /// Every projection from position 0, in a database of its own.
    std::unique_ptr<projections::read_store> build(cli::configuration const& into) {
        auto const source = projections::create_log_source(*log_.log);
        auto store = cli::open_read_store(into);
        projections::runner runner{*source, *log_.keys, *store, projections::create_all(),
                                   projections::runner_options{}};
        runner.start();
        for (auto const& each : projections::create_all()) {
            std::string const name{each->name()};
            if (runner.wait_for(name, head_, patience_)) continue;
            ++found_.unsettled;
            tell("a fresh build of " + name + " did not reach the head");
        }
        runner.stop();
        return store;
    }

    static std::vector<std::string> rows_of(projections::projection const& which,
                                            projections::read_store& in) {
        std::vector<std::string> rows;
        in.read(std::string{which.name()}, [&](projections::snapshot const& seen) {
            if (seen.build.version != which.version()) return;
            for (auto const table : which.tables()) {
                std::string const name{table};
                seen.rows.query("SELECT t::text FROM " + name + " AS t", {},
                                [&](sql::row const& row) { rows.push_back(name + ": " + row.text(0)); });
            }
        });
        std::sort(rows.begin(), rows.end());
        return rows;
    }

    void compare_rows(projections::projection const& which, projections::read_store& live,
                      projections::read_store& fresh) {
        auto const have = rows_of(which, live), want = rows_of(which, fresh);
        found_.rows += static_cast<std::int64_t>(have.size());
        std::vector<std::string> lacking, surplus;
        std::set_difference(want.begin(), want.end(), have.begin(), have.end(), std::back_inserter(lacking));
        std::set_difference(have.begin(), have.end(), want.begin(), want.end(), std::back_inserter(surplus));
        found_.row_differences += static_cast<std::int64_t>(std::max(lacking.size(), surplus.size()));
        for (auto const& row : lacking) tell("should be there: " + row);
        for (auto const& row : surplus) tell("should not be there: " + row);
    }

    cluster& cluster_;
    std::chrono::seconds patience_;
    cli::configuration from_;
    cli::log_side log_;
    eventlog::mirror::nats_connection nats_;
    position head_ = 0;
    std::unordered_map<std::string, position> positions_;
    std::unordered_map<std::string, std::int64_t> counters_;  ///< By their keys in Redis.
    verdict found_;
};

}  // namespace

verdict check(cluster& of, std::vector<acknowledged> const& answers, std::chrono::seconds patience) {
    return checker{of, patience}.run(answers);
}

}  // namespace linkledger::chaos
