// The command that erases: a person, or the click details of a workspace's days.

#include "commands/handlers.h"
#include "domain/erasure/erasure.h"
#include "domain/rules.h"
#include "domain/user/user.h"
#include "eventlog/codec.h"
#include "eventlog/crypto.h"
#include "eventlog/json.h"
#include "eventlog/json_reflect.h"

#include <algorithm>
#include <set>

namespace linkledger::commands {
namespace {

namespace erasure = domain::erasure;
using eventlog::result;

/// What the log knows of a person.
struct traces {
    std::vector<domain::uuid> key_ids;
    std::vector<erasure::erased_invitation> invitations;
    std::set<domain::workspace_id> workspaces;  ///< Belonged to, once or still, or invited to.
};

struct person {
    std::optional<domain::user_id> user_id;
    std::string hashed_email;  ///< Empty: none is known.
    bool erased_before = false;
    eventlog::version version = 0;
};

/// Reads the few events that name people. Blocks.
result<traces> find_traces(pipeline const& with, person const& who) {
    traces found;
    std::vector<std::string> subjects;
    if (!who.hashed_email.empty()) subjects.push_back("person-" + who.hashed_email);
    if (who.user_id) subjects.push_back(eventlog::user_subject(*who.user_id));
    for (auto const& subject : subjects) {
        BOOST_OUTCOME_TRY(auto const key, with.keys.find(subject));
        if (key) found.key_ids.push_back(key->key_id);
    }
    auto const is_theirs = [&](domain::uuid const& key_id) {
        return std::find(found.key_ids.begin(), found.key_ids.end(), key_id) != found.key_ids.end();
    };
    auto const note = [&](eventlog::recorded_event const& stored, domain::event const& happened) {
        if (auto const* e = std::get_if<domain::workspace::invited>(&happened)) {
            if (stored.body.personal.bytes.empty() || !is_theirs(stored.body.personal.key_id)) return;
            found.invitations.push_back({e->workspace_id, e->invitation_id});
            found.workspaces.insert(e->workspace_id);
        } else if (auto const* j = std::get_if<domain::workspace::joined>(&happened)) {
            if (who.user_id == j->user_id) found.workspaces.insert(j->workspace_id);
        } else if (auto const* c = std::get_if<domain::workspace::created>(&happened)) {
            if (who.user_id == c->owner_id) found.workspaces.insert(c->workspace_id);
        }
    };
    eventlog::read_query query;
    query.types = {"user.invited", "user.joined", "workspace.created"};
    for (;;) {
        BOOST_OUTCOME_TRY(auto const page, with.facts.log().read(query));
        for (auto const& stored : page.events) {
            BOOST_OUTCOME_TRY(auto const happened,
                              eventlog::decode(stored.body.type, stored.body.schema_version, stored.body.data,
                                               std::nullopt));
            note(stored, happened);
        }
        if (page.scanned_to <= query.after) return found;
        query.after = page.scanned_to;
    }
}

awaitable<result<person>> find_person(attempt& on, erase_subject_input const& input) {
    person who;
    who.user_id = input.user_id;
    if (input.email) {
        auto const email = domain::rules::email(*input.email);
        if (auto const* text = std::get_if<std::string>(&email))
            who.hashed_email = on.with().email_hash(*text);
        std::string scope{domain::claim_scope::email};
        auto const owner = co_await on.with().facts.claim_owner(std::move(scope), who.hashed_email);
        if (!owner) co_return owner.assume_error();
        stream_id const id = owner.assume_value() ? parse_stream(*owner.assume_value()) : stream_id{};
        if (auto const* user = std::get_if<domain::user_id>(&id)) who.user_id = *user;
    }
    if (!who.user_id) co_return who;
    auto const found = co_await on.load(*who.user_id);
    if (!found) co_return found.assume_error();
    domain::user::state const& state = *found.assume_value().state;
    who.version = found.assume_value().version;
    who.erased_before = state.erased;
    if (!state.exists) who.user_id.reset();
    if (state.email) who.hashed_email = on.with().email_hash(*state.email);
    co_return who;
}

/// Where both stand, and what goes back of the person's claims, from the workspaces as they are.
struct surroundings {
    std::vector<erasure::relation> relations;
    std::vector<domain::erased_claims::place> places;
};

awaitable<result<surroundings>> look_around(attempt& on, person const& who, traces const& found) {
    surroundings around;
    for (auto const& id : found.workspaces) {
        auto const known = co_await on.load(id);
        if (!known) co_return known.assume_error();
        domain::workspace::state const& workspace = *known.assume_value().state;
        erasure::relation in;
        in.caller = domain::workspace::standing_of(workspace, on.by());
        auto const member = who.user_id ? workspace.members.find(*who.user_id) : workspace.members.end();
        if (member != workspace.members.end()) in.person = member->second;
        domain::erased_claims::place place{id, {}};
        for (auto const& one : found.invitations) {
            auto const invitation = workspace.invitations.find(one.invitation_id);
            if (one.workspace_id != id || invitation == workspace.invitations.end()) continue;
            if (invitation->second.status == domain::workspace::invitation_status::open)
                place.token_hashes.push_back(invitation->second.token_hash);
        }
        if (in.person || !place.token_hashes.empty()) around.relations.push_back(in);
        if (!place.token_hashes.empty()) around.places.push_back(std::move(place));
    }
    co_return around;
}

awaitable<planned> erase_person(attempt& on, erase_subject_input const& input) {
    auto const person_found = co_await find_person(on, input);
    if (!person_found) co_return person_found.assume_error();
    person const& who = person_found.assume_value();
    auto work = [&] { return find_traces(on.with(), who); };
    auto const traced = co_await run_blocking(on.with().pool, std::move(work));
    if (!traced) co_return traced.assume_error();
    traces const& found = traced.assume_value();
    auto const around = co_await look_around(on, who, found);
    if (!around) co_return around.assume_error();

    erasure::erase_person command;
    command.user_id = who.user_id;
    command.erased_before = who.erased_before;
    command.key_ids = found.key_ids;
    command.invitations = found.invitations;
    command.relations = around.assume_value().relations;
    command.by = on.by();
    erasure_result const answer{who.user_id, static_cast<std::int64_t>(found.key_ids.size()),
                                static_cast<std::int64_t>(found.invitations.size()), true};
    auto stream =
        who.user_id ? domain::stream_of(*who.user_id) : domain::erasure_stream_of(eventlog::new_uuid_v7());
    planned whole =
        plan_of(on, std::move(stream), who.version, {}, erasure::decide(command), json::to_text(answer));
    auto* made = std::get_if<plan>(&whole);
    if (!made || made->streams.front().events.empty()) co_return whole;
    made->erased_keys = found.key_ids;
    if (!who.hashed_email.empty()) {
        domain::erased_claims const back{who.hashed_email, who.user_id, around.assume_value().places};
        made->claims = domain::claims_of(back);
    }
    co_return whole;
}

awaitable<planned> order_details(attempt& on, erase_subject_input const& input) {
    auto const found = co_await on.load(*input.workspace_id);
    if (!found) co_return found.assume_error();
    erasure::order_details_erasure command;
    command.workspace_id = *input.workspace_id;
    command.first_day = *input.first_day;
    command.last_day = *input.last_day;
    command.now = on.now();
    command.by = domain::workspace::standing_of(*found.assume_value().state, on.by());
    erasure_result answer;
    answer.is_done = false;
    co_return plan_of(on, domain::erasure_stream_of(eventlog::new_uuid_v7()), 0, input.workspace_id->value,
                      erasure::decide(command), json::to_text(answer));
}

}  // namespace

awaitable<planned> handle(attempt& on, erase_subject_input const& input) {
    bool const is_details = input.workspace_id && input.first_day && input.last_day;
    bool const names_details = input.workspace_id || input.first_day || input.last_day;
    int const named = (input.user_id ? 1 : 0) + (input.email ? 1 : 0) + (names_details ? 1 : 0);
    if (named != 1 || is_details != names_details) {
        co_return domain::refusal{domain::refusal_code::invalid_input,
                                  "Give user_id, or email, or workspace_id with first_day and last_day.",
                                  {}};
    }
    if (is_details) co_return co_await order_details(on, input);
    co_return co_await erase_person(on, input);
}

}  // namespace linkledger::commands
