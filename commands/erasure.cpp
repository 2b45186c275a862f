#include "commands/erasure.h"

#include "commands/click_totals.h"
#include "domain/erasure/erasure.h"
#include "domain/streams.h"
#include "eventlog/codec.h"
#include "eventlog/crypto.h"
#include "eventlog/position_by_time.h"

#include <algorithm>
#include <future>
#include <map>
#include <memory>

namespace linkledger::commands {
namespace {

using domain::timestamp;
using domain::uuid;
using eventlog::failure;
using eventlog::failure_code;
using eventlog::position;
using eventlog::result;

constexpr std::size_t rows_at_once = 2'000;  ///< Events or keys, read from the log.
constexpr std::int64_t clicks_at_once = 1'000'000;
constexpr std::size_t days_at_once = 1'000;
constexpr std::size_t appends_at_once = 256;
/// Reports may run ahead of the clock by this much, so a click may be recorded before its day begins.
constexpr std::chrono::minutes reported_ahead{5};

failure stopped() {
    return {failure_code::shutting_down, "the process is stopping"};
}

/// An event that has no personal part.
result<domain::event> decode_plain(eventlog::recorded_event const& stored) {
    return eventlog::decode(stored.body.type, stored.body.schema_version, stored.body.data, std::nullopt);
}

/// Calls `each` for every event that the query finds.
template <typename Each>
result<void> for_each_event(eventlog::event_log& log, eventlog::read_query query, Each const& each) {
    query.limit = rows_at_once;
    for (;;) {
        BOOST_OUTCOME_TRY(auto const page, log.read(query));
        for (auto const& event : page.events) {
            BOOST_OUTCOME_TRY(each(event));
        }
        if (page.scanned_to <= query.after) return boost::outcome_v2::success();
        bool const at_end = page.events.size() < query.limit && page.scanned_to >= query.until;
        query.after = page.scanned_to;
        if (at_end) return boost::outcome_v2::success();
    }
}

eventlog::event_body body_of(domain::event const& happened, domain::workspace_id const& workspace) {
    auto encoded = eventlog::encode(happened);
    eventlog::event_body body;
    body.event_id = eventlog::new_uuid_v7();
    body.type = std::move(encoded.type);
    body.schema_version = encoded.schema_version;
    body.data = std::move(encoded.data);
    body.workspace_id = workspace.value;
    eventlog::metadata cause;
    cause.command = "EraseClickDetails";
    cause.command_id = cause.correlation_id = body.event_id;
    body.metadata = eventlog::encode_metadata(cause);
    body.occurred_at = eventlog::now();
    body.salt = eventlog::new_salt();
    return body;
}

using append_result = result<eventlog::append_outcome>;

std::future<append_result> start_append(eventlog::committer& to, eventlog::append_request request) {
    // Shared: the committer's thread may still be leaving set_value when the waiting one goes on.
    auto const promise = std::make_shared<std::promise<append_result>>();
    auto answered = promise->get_future();
    to.submit(std::move(request),
              [promise](append_result outcome) { promise->set_value(std::move(outcome)); });
    return answered;
}

/// Whether the stream of a link's days has this key's day already.
result<bool> is_settled_already(eventlog::event_log& log, std::string const& stream, uuid const& key,
                                eventlog::version& at) {
    for (at = 0;;) {
        BOOST_OUTCOME_TRY(auto const page, log.read_stream(stream, at, rows_at_once));
        for (auto const& stored : page) {
            BOOST_OUTCOME_TRY(auto const happened, decode_plain(stored));
            auto const* day = std::get_if<domain::click::settled>(&happened);
            if (day && day->key_id == key) return true;
            at = stored.version;
        }
        if (page.size() < rows_at_once) return false;
    }
}

}  // namespace

std::vector<uuid> erased_keys_of(domain::event const& happened) {
    if (auto const* person = std::get_if<domain::erasure::person_erased>(&happened)) return person->key_ids;
    std::vector<uuid> ids;
    if (auto const* details = std::get_if<domain::erasure::details_erased>(&happened)) {
        for (auto const& day : details->days) ids.push_back(day.key_id);
    }
    return ids;
}

result<std::vector<uuid>> erased_keys_in(eventlog::event_log& log, std::string const& stream) {
    std::vector<uuid> ids;
    for (eventlog::version after = 0;;) {
        BOOST_OUTCOME_TRY(auto const page, log.read_stream(stream, after, rows_at_once));
        for (auto const& stored : page) {
            after = stored.version;
            if (stored.body.type != "person.erased") continue;
            BOOST_OUTCOME_TRY(auto const happened, decode_plain(stored));
            auto const named = erased_keys_of(happened);
            ids.insert(ids.end(), named.begin(), named.end());
        }
        if (page.size() < rows_at_once) return ids;
    }
}

result<std::size_t> complete_erasures(eventlog::event_log& log, eventlog::keyring& keys) {
    std::size_t destroyed = 0;
    eventlog::read_query query;
    query.types = {"person.erased", "click_details.erased"};
    auto const complete = [&](eventlog::recorded_event const& stored) -> result<void> {
        BOOST_OUTCOME_TRY(auto const happened, decode_plain(stored));
        for (auto const& id : erased_keys_of(happened)) {
            BOOST_OUTCOME_TRY(auto const living, log.find_key(id));
            if (!living) continue;
            BOOST_OUTCOME_TRY(keys.destroy(id));
            ++destroyed;
        }
        return boost::outcome_v2::success();
    };
    BOOST_OUTCOME_TRY(for_each_event(log, query, complete));
    return destroyed;
}

result<std::vector<open_order>> open_orders(eventlog::event_log& log) {
    std::map<std::string, domain::erasure::details_ordered> open;
    eventlog::read_query query;
    query.types = {"click_details.ordered", "click_details.erased"};
    auto const note = [&](eventlog::recorded_event const& stored) -> result<void> {
        BOOST_OUTCOME_TRY(auto happened, decode_plain(stored));
        if (auto* order = std::get_if<domain::erasure::details_ordered>(&happened))
            open[stored.stream] = std::move(*order);
        else
            open.erase(stored.stream);
        return boost::outcome_v2::success();
    };
    BOOST_OUTCOME_TRY(for_each_event(log, query, note));
    std::vector<open_order> orders;
    for (auto& [stream, order] : open) orders.push_back({stream, std::move(order)});
    return orders;
}

result<std::vector<detail_days>> days_beyond(eventlog::event_log& log, std::chrono::days kept,
                                             timestamp now) {
    constexpr std::string_view prefix = "clicks-";
    constexpr std::size_t id_characters = 36;
    std::vector<detail_days> found;
    std::size_t days = 0;
    std::string after;
    while (days < days_at_once) {
        BOOST_OUTCOME_TRY(auto const keys, log.list_keys(std::string{prefix}, after, rows_at_once));
        for (auto const& key : keys) {
            after = key.subject;
            std::string_view const rest = std::string_view{key.subject}.substr(prefix.size());
            if (rest.size() <= id_characters || days == days_at_once) continue;
            auto const workspace = domain::parse_uuid(rest.substr(0, id_characters));
            auto const day = domain::erasure::parse_day(rest.substr(id_characters + 1));
            if (!workspace || !day || *day + std::chrono::days{1} + kept > now) continue;
            if (!domain::erasure::is_settled(*day, now)) continue;
            ++days;
            std::string const text = domain::to_utc_day(*day);
            if (!found.empty() && found.back().workspace_id.value == *workspace)
                found.back().last_day = text;
            else
                found.push_back({domain::workspace_id{*workspace}, text, text});
        }
        if (keys.size() < rows_at_once) break;
    }
    return found;
}

// ---- Click details --------------------------------------------------------------------------------------

struct click_details::day_key {
    std::string day;
    timestamp begins;
    uuid key_id{};
};

result<std::vector<click_details::day_key>> click_details::keys_of(detail_days const& which) {
    std::vector<day_key> found;
    auto const prefix = "clicks-" + to_string(which.workspace_id) + "-";
    auto const now = eventlog::now();
    BOOST_OUTCOME_TRY(auto const keys, log_.list_keys(prefix, "", domain::erasure::days_at_once_max));
    for (auto const& key : keys) {
        auto const day = key.subject.substr(prefix.size());
        auto const begins = domain::erasure::parse_day(day);
        if (!begins || day < which.first_day || day > which.last_day) continue;
        if (domain::erasure::is_settled(*begins, now)) found.push_back({day, *begins, key.key_id});
    }
    return found;
}

result<details_outcome> click_details::erase(detail_days const& which, erase_details_options const& how) {
    details_outcome done;
    BOOST_OUTCOME_TRY(auto const days, keys_of(which));
    domain::erasure::details_erased what{which.workspace_id, which.first_day, which.last_day, {}, 0};
    for (auto const& day : days) {
        BOOST_OUTCOME_TRY(auto const clicks, settle(which, day, how, done));
        what.days.push_back({day.day, day.key_id});
        what.clicks += clicks;
    }
    if (days.empty() && how.stream.empty()) return done;

    bool const is_ordered = !how.stream.empty();
    eventlog::append_request request;
    request.streams.push_back({is_ordered ? how.stream : domain::erasure_stream_of(eventlog::new_uuid_v7()),
                               eventlog::expected_version::exactly(is_ordered ? 1 : 0),
                               {body_of(what, which.workspace_id)}});
    BOOST_OUTCOME_TRY(auto const outcome, start_append(committer_, std::move(request)).get());
    // Otherwise another process was first, and says so in the log.
    if (auto const* written = std::get_if<eventlog::appended>(&outcome))
        done.position = written->last_position;
    for (auto const& day : days) {
        BOOST_OUTCOME_TRY(keys_.destroy(day.key_id));
    }
    done.keys = days.size();
    done.clicks = what.clicks;
    return done;
}

/// Two passes over the stretch of the log that can hold clicks of the day: which links have how many, and
/// then, so many links at a time as a bounded memory allows, what they come to. Returns the number of clicks.
result<std::int64_t> click_details::settle(detail_days const& which, day_key const& day,
                                           erase_details_options const& how, details_outcome& so_far) {
    eventlog::read_query query;
    query.types = {"link.clicked"};
    query.workspace_id = which.workspace_id.value;
    BOOST_OUTCOME_TRY(auto const head, log_.head());
    BOOST_OUTCOME_TRY(query.after, position_before(log_, day.begins - reported_ahead, head.last));
    auto const final_at = day.begins + std::chrono::days{1} + how.recorded_within;
    BOOST_OUTCOME_TRY(query.until, position_before(log_, final_at, head.last));
    auto const clicks_of_day = [&](auto const& each) {
        return for_each_event(log_, query, [&](eventlog::recorded_event const& stored) -> result<void> {
            if (how.stopping && how.stopping()) return stopped();
            if (stored.body.personal.key_id != day.key_id) return boost::outcome_v2::success();
            return each(stored);
        });
    };

    std::map<std::string, std::int64_t> links;
    std::int64_t all = 0;
    auto const count = [&](eventlog::recorded_event const& stored) -> result<void> {
        ++links[std::string{link_part_of(stored.stream)}];
        ++all;
        return boost::outcome_v2::success();
    };
    BOOST_OUTCOME_TRY(clicks_of_day(count));
    so_far.links += links.size();

    auto next = links.begin();
    while (next != links.end()) {
        std::map<std::string, click_totals> group;
        for (std::int64_t clicks = 0; next != links.end() && (group.empty() || clicks < clicks_at_once);
             ++next) {
            group.try_emplace(next->first);
            clicks += next->second;
        }
        auto const add = [&](eventlog::recorded_event const& stored) -> result<void> {
            auto const link = group.find(std::string{link_part_of(stored.stream)});
            if (link == group.end()) return boost::outcome_v2::success();
            BOOST_OUTCOME_TRY(auto const happened, eventlog::decode(stored, keys_));
            link->second.add(std::get<domain::click::clicked>(happened), stored.body.occurred_at);
            ++so_far.clicks;
            if (how.progress) how.progress(so_far.clicks);
            return boost::outcome_v2::success();
        };
        BOOST_OUTCOME_TRY(clicks_of_day(add));
        std::vector<domain::click::settled> settled;
        for (auto& [link, totals] : group) {
            auto const id = domain::parse_uuid(link);
            if (id) settled.push_back(totals.finish(domain::link_id{*id}, day.day, day.key_id));
        }
        BOOST_OUTCOME_TRY(append_settled(which.workspace_id, settled));
    }
    return all;
}

result<void> click_details::append_settled(domain::workspace_id const& workspace,
                                           std::vector<domain::click::settled> const& days) {
    for (std::size_t first = 0; first < days.size(); first += appends_at_once) {
        std::vector<std::future<append_result>> answers;
        for (std::size_t i = first; i < days.size() && i < first + appends_at_once; ++i) {
            auto const stream = domain::days_stream_of(days[i].link_id);
            eventlog::version at = 0;
            BOOST_OUTCOME_TRY(auto const is_done, is_settled_already(log_, stream, days[i].key_id, at));
            if (is_done) continue;
            eventlog::append_request request;
            request.streams.push_back(
                {stream, eventlog::expected_version::exactly(at), {body_of(days[i], workspace)}});
            answers.push_back(start_append(committer_, std::move(request)));
        }
        bool was_overtaken = false;
        for (auto& answer : answers) {
            auto const outcome = answer.get();
            if (!outcome) return outcome.error();
            was_overtaken |= !std::holds_alternative<eventlog::appended>(outcome.value());
        }
        if (was_overtaken)
            return failure{failure_code::unavailable, "another process settles the same days; try again"};
    }
    return boost::outcome_v2::success();
}

}  // namespace linkledger::commands
