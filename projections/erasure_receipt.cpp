#include "projections/erasure_receipt.h"

#include "eventlog/codec.h"
#include "eventlog/crypto.h"
#include "eventlog/merkle/note.h"

#include <fmt/format.h>

#include <span>
#include <vector>

namespace linkledger::projections {
namespace {

namespace erasure = domain::erasure;
using eventlog::position;
using eventlog::recorded_event;
using eventlog::result;

/// What still holds copies, and for how long: the same for every erasure, because nobody can look into
/// backups.
constexpr std::string_view remains =
    "remains: sealed bytes in the log, its mirror and bundles; no key opens them any more\n"
    "remains: backups and replicas that are older than this receipt; until they are deleted or rewritten\n"
    "remains: freed space of read models and of the keys' table; until VACUUM rewrites it\n"
    "remains: PostgreSQL's WAL and SQLite's, until recycled or emptied\n"
    "remains: files made by replay and exports before this receipt; until they are deleted\n";

struct found_erasure {
    recorded_event stored;
    domain::event happened;
};

result<domain::event> decode_plain(recorded_event const& stored) {
    return eventlog::decode(stored.body.type, stored.body.schema_version, stored.body.data, std::nullopt);
}

/// The event at the position, or the one that carries out the order there.
result<std::optional<found_erasure>> find_erasure(eventlog::event_log& log, position at) {
    std::optional<found_erasure> none;
    eventlog::read_query query;
    query.after = at - 1;
    query.until = at;
    query.limit = 1;
    query.types = {"person.erased", "click_details.ordered", "click_details.erased"};
    BOOST_OUTCOME_TRY(auto page, log.read(query));
    if (page.events.empty()) return none;
    auto stored = std::move(page.events.front());
    if (stored.body.type == "click_details.ordered") {
        BOOST_OUTCOME_TRY(auto later, log.read_stream(stored.stream, stored.version, 1));
        if (!later.empty()) stored = std::move(later.front());
    }
    BOOST_OUTCOME_TRY(auto happened, decode_plain(stored));
    return std::optional{found_erasure{std::move(stored), std::move(happened)}};
}

struct described {
    std::string subject;
    std::string lines;
    std::vector<domain::uuid> keys;
    std::vector<std::string> models;
};

described describe(domain::event const& happened) {
    described about;
    if (auto const* person = std::get_if<erasure::person_erased>(&happened)) {
        about.subject = "person";
        about.lines =
            fmt::format("erased: a person\nuser: {}\ninvitations: {}\n",
                        person->user_id ? to_string(*person->user_id) : "none", person->invitations.size());
        about.keys = person->key_ids;
        about.models = {"accounts", "audit_logs"};
    } else if (auto const* details = std::get_if<erasure::details_erased>(&happened)) {
        about.subject = "click_details";
        about.lines =
            fmt::format("erased: click details of {} to {}\nworkspace: {}\nclicks: {}\n", details->first_day,
                        details->last_day, to_string(details->workspace_id), details->clicks);
        for (auto const& day : details->days) about.keys.push_back(day.key_id);
        about.models = {"links", "clicks", "audit_logs"};
    } else {
        about.subject = "click_details";
    }
    return about;
}

}  // namespace

result<std::optional<erasure_report>> report_erasure(eventlog::event_log& log, read_store& store, position at,
                                                     std::string const& tree) {
    std::optional<erasure_report> none;
    BOOST_OUTCOME_TRY(auto const found, find_erasure(log, at));
    if (!found) return none;
    BOOST_OUTCOME_TRY(auto const cause, eventlog::decode_metadata(found->stored.body.metadata));
    auto const about = describe(found->happened);
    erasure_report report;
    report.position = found->stored.position;
    report.workspace_id = found->stored.body.workspace_id;
    report.ordered_by = cause.actor.user_id;
    report.subject = about.subject;
    if (found->stored.body.type == "click_details.ordered") return std::optional{std::move(report)};

    report.keys_destroyed = true;
    std::string keys;
    for (auto const& id : about.keys) {
        BOOST_OUTCOME_TRY(auto const living, log.find_key(id));
        if (living) report.keys_destroyed = false;
        keys += " " + domain::to_string(id);
    }
    report.read_models_follow = true;
    std::string models;
    for (auto const& name : about.models) {
        store.read(name, [&](snapshot const& now) {
            if (now.position < report.position) report.read_models_follow = false;
            models += fmt::format(" {} {}", name, now.position);
        });
    }
    if (!report.keys_destroyed || !report.read_models_follow) return std::optional{std::move(report)};

    BOOST_OUTCOME_TRY(auto const head, log.head());
    auto const checkpoint = eventlog::merkle::parse_checkpoint(tree);
    report.receipt = fmt::format(
        "linkledger erasure receipt v1\nlog: {}\nposition: {}\nrecorded: {}\n{}keys destroyed:{}\n"
        "read models that reflect it:{}\nsigned tree: {}\nissued: {}\n{}",
        eventlog::merkle::origin_of(head), report.position, domain::to_rfc3339(found->stored.recorded_at),
        about.lines, keys.empty() ? " none" : keys, models,
        checkpoint ? fmt::format("{} {}", checkpoint->size, eventlog::merkle::to_base64(checkpoint->root))
                   : "none yet",
        domain::to_rfc3339(eventlog::now()), remains);
    return std::optional{std::move(report)};
}

}  // namespace linkledger::projections
