#include "commands/attempt.h"

#include "eventlog/crypto.h"

namespace linkledger::commands {

std::string pipeline::email_hash(std::string_view email) const {
    return keys.pseudonym("email", email);
}

std::string pipeline::short_url(std::string_view short_code) const {
    return options.public_url + "/" + std::string{short_code};
}

attempt::attempt(pipeline const& p, std::string_view command, sender const& from)
    : pipeline_(p),
      command_(command),
      from_(from),
      command_id_(eventlog::new_uuid_v7()),
      now_(eventlog::now()) {}

void attempt::begin_try() {
    now_ = eventlog::now();
    uses_.clear();
}

eventlog::metadata attempt::metadata() const {
    eventlog::metadata cause;
    cause.command = std::string{command_};
    cause.command_id = command_id_;
    cause.correlation_id = from_.correlation_id.is_nil() ? command_id_ : from_.correlation_id;
    cause.traceparent = from_.traceparent;
    cause.actor.kind = from_.kind;
    if (from_.caller) {
        cause.actor.user_id = from_.caller->user_id;
        if (!from_.caller->api_key_id.value.is_nil()) cause.actor.api_key_id = from_.caller->api_key_id;
    }
    return cause;
}

template <typename State, typename Id>
awaitable<eventlog::result<loaded<State>>> attempt::load_any(Id id) {
    auto found = co_await pipeline_.facts.load(id);
    if (found) {
        loaded<State> const& one = found.assume_value();
        uses_.push_back({domain::stream_of(id), one.version, one.is_from_cache});
    }
    co_return found;
}

awaitable<eventlog::result<loaded<domain::workspace::state>>> attempt::load(domain::workspace_id id) {
    return load_any<domain::workspace::state>(id);
}
awaitable<eventlog::result<loaded<domain::link::state>>> attempt::load(domain::link_id id) {
    return load_any<domain::link::state>(id);
}
awaitable<eventlog::result<loaded<domain::api_key::state>>> attempt::load(domain::api_key_id id) {
    return load_any<domain::api_key::state>(id);
}

awaitable<eventlog::result<loaded<domain::user::state>>> attempt::load(domain::user_id id) {
    return load_any<domain::user::state>(id);
}

awaitable<bool> attempt::was_outdated() {
    bool outdated = false;
    for (use const& used : uses_) {
        if (!used.is_from_cache) continue;
        auto const version = co_await pipeline_.facts.stream_version(used.stream);
        if (!version || version.assume_value() == used.version) continue;
        pipeline_.facts.forget(used.stream);
        outdated = true;
    }
    co_return outdated;
}

awaitable<std::string> attempt::hash_password(std::string password) {
    if (!password_hash_) {
        auto work = [password = std::move(password)] { return eventlog::hash_password(password); };
        password_hash_ = co_await run_blocking(pipeline_.pool, std::move(work));
    }
    co_return *password_hash_;
}

}  // namespace linkledger::commands
