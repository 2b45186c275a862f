#include "commands/sealing.h"

#include "eventlog/codec.h"
#include "eventlog/crypto.h"

namespace linkledger::commands {
namespace {

using key_result = eventlog::result<std::shared_ptr<eventlog::data_key const>>;

std::string person_subject(pipeline const& with, std::string_view email) {
    return "person-" + with.email_hash(email);
}

/// Under whose key an event's personal part is sealed; empty: it has none.
std::string personal_subject(pipeline const& with, domain::event const& happened,
                             domain::uuid const& workspace) {
    if (auto const* invited = std::get_if<domain::workspace::invited>(&happened)) {
        if (invited->personal) return person_subject(with, invited->personal->email);
    }
    if (auto const* registered = std::get_if<domain::user::registered>(&happened)) {
        if (registered->personal && registered->personal->email) {
            return person_subject(with, *registered->personal->email);
        }
        return eventlog::user_subject(registered->user_id);
    }
    if (std::holds_alternative<domain::link::created>(happened) ||
        std::holds_alternative<domain::link::updated>(happened)) {
        return eventlog::workspace_subject(domain::workspace_id{workspace});
    }
    return {};
}

awaitable<key_result> key_of(pipeline const& with, std::string subject) {
    if (auto key = with.keys.cached(subject)) co_return key;
    auto work = [&keys = with.keys, subject = std::move(subject)] { return keys.get_or_create(subject); };
    co_return co_await run_blocking(with.pool, std::move(work));
}

/// The subject of a caller's own key: of the person behind the address, or of the user where there is none.
awaitable<eventlog::result<std::string>> sender_subject(attempt const& on) {
    domain::user_id const user = on.by().user_id;
    auto const found = co_await on.with().facts.load(user);
    if (!found) co_return found.assume_error();
    auto const& state = *found.assume_value().state;
    if (state.email) co_return person_subject(on.with(), *state.email);
    co_return eventlog::user_subject(user);
}

/// The key for the sender's context; null when there is no context to keep, or nobody whose it would be.
awaitable<key_result> context_key(attempt const& on, plan const& wanted) {
    key_result nobody{nullptr};
    auto const& context = on.from().context;
    if (!context.ip_address && !context.user_agent) co_return nobody;
    if (wanted.subject) co_return co_await key_of(on.with(), *wanted.subject);
    if (!on.from().caller) co_return nobody;
    auto subject = co_await sender_subject(on);
    if (!subject) co_return subject.assume_error();
    co_return co_await key_of(on.with(), std::move(subject.assume_value()));
}

eventlog::claim_change to_change(domain::claim const& claim) {
    auto const what = claim.what == domain::claim::kind::acquire ? eventlog::claim_change::kind::acquire
                                                                 : eventlog::claim_change::kind::release;
    return {what, claim.scope, claim.key, claim.owner};
}

/// What all events of a command share.
struct common_parts {
    std::string metadata;
    std::string context;  ///< Plain; empty: none.
    std::shared_ptr<eventlog::data_key const> context_key;
};

awaitable<eventlog::result<eventlog::event_body>> to_body(attempt const& on, domain::event const& happened,
                                                          domain::uuid const& workspace,
                                                          common_parts const& common) {
    eventlog::event_body body;
    body.event_id = eventlog::new_uuid_v7();
    eventlog::encoded_event encoded = eventlog::encode(happened);
    if (encoded.personal) {
        auto const key = co_await key_of(on.with(), personal_subject(on.with(), happened, workspace));
        if (!key) co_return key.assume_error();
        body.personal = eventlog::keyring::seal(*key.assume_value(), *encoded.personal, body.event_id,
                                                eventlog::sealed_part::personal);
    }
    if (common.context_key) {
        body.context = eventlog::keyring::seal(*common.context_key, common.context, body.event_id,
                                               eventlog::sealed_part::context);
    }
    body.type = std::move(encoded.type);
    body.schema_version = encoded.schema_version;
    body.workspace_id = workspace;
    body.data = std::move(encoded.data);
    body.metadata = common.metadata;
    body.occurred_at = on.now();
    body.salt = eventlog::new_salt();
    co_return body;
}

remembered_answer to_remember(plan const& wanted) {
    remembered_answer answer;
    answer.events = event_types(wanted);
    answer.result = wanted.result;
    if (wanted.prepared) {
        answer.stream = wanted.prepared->streams.front().stream;
    } else {
        stream_plan const& primary = wanted.streams[wanted.primary];
        answer.stream = primary.stream;
        answer.version = primary.at + static_cast<eventlog::version>(primary.events.size());
    }
    return answer;
}

}  // namespace

std::vector<std::string> event_types(plan const& wanted) {
    std::vector<std::string> types;
    if (wanted.prepared) {
        for (auto const& stream : wanted.prepared->streams) {
            for (auto const& body : stream.events) types.push_back(body.type);
        }
    }
    for (auto const& stream : wanted.streams) {
        for (auto const& happened : stream.events) types.emplace_back(domain::type_name(happened));
    }
    return types;
}

awaitable<eventlog::result<eventlog::append_request>> to_append(
    attempt const& on, plan const& wanted, std::optional<idempotent_request> const& identity) {
    eventlog::append_request request;
    if (wanted.prepared) {
        request = *wanted.prepared;
    } else {
        eventlog::metadata cause = on.metadata();
        if (wanted.acting_user) cause.actor.user_id = wanted.acting_user;
        auto key = co_await context_key(on, wanted);
        if (!key) co_return key.assume_error();
        common_parts common;
        common.metadata = eventlog::encode_metadata(cause);
        common.context_key = std::move(key.assume_value());
        if (common.context_key) common.context = eventlog::encode_context(on.from().context);

        for (stream_plan const& stream : wanted.streams) {
            eventlog::stream_append append;
            append.stream = stream.stream;
            append.expected = eventlog::expected_version::exactly(stream.at);
            for (domain::event const& happened : stream.events) {
                auto body = co_await to_body(on, happened, stream.workspace_id, common);
                if (!body) co_return body.assume_error();
                append.events.push_back(std::move(body.assume_value()));
            }
            request.streams.push_back(std::move(append));
        }
        for (domain::claim const& claim : wanted.claims) request.claims.push_back(to_change(claim));
    }
    if (identity) request.idempotency = identity->to_entry(to_remember(wanted));
    co_return request;
}

}  // namespace linkledger::commands
