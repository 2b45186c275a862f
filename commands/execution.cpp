#include "commands/execution.h"

#include "commands/append.h"
#include "commands/erasure.h"
#include "commands/handlers.h"
#include "commands/sealing.h"
#include "commands/visits.h"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <unordered_set>

namespace linkledger::commands {
namespace {

using domain::refusal;
using domain::refusal_code;

constexpr int decision_tries_max = 5;
/// After so many commands of a bulk, others on the same thread get their turn.
constexpr std::size_t commands_between_yields = 16;

std::optional<refusal> refuse_scope(command_description const& command, sender const& from) {
    if (!command.scope) return std::nullopt;
    if (!from.caller) return refusal{refusal_code::unauthenticated, "This command needs an API key."};
    if (domain::has_scope(*from.caller, *command.scope)) return std::nullopt;
    return refusal{refusal_code::forbidden,
                   "This command needs a key with the scope " +
                       std::string{*command.scope == domain::scope::admin ? "admin" : "write"} + "."};
}

/// What makes idempotency keys one caller's own.
std::string credential_of(sender const& from, any_input const& input) {
    if (auto const* accept = std::get_if<accept_invitation_input>(&input)) return accept->token;
    if (!from.credential.empty()) return from.credential;
    return from.caller ? "user-" + domain::to_string(from.caller->user_id) : std::string{};
}

/// If-Match names the version that the command's own stream must have.
planned demand_version(planned wanted, std::optional<eventlog::version> const& if_match) {
    auto const* made = std::get_if<plan>(&wanted);
    if (!if_match || !made) return wanted;
    if (made->prepared) return domain::invalid_field("If-Match", "is not for this command");
    eventlog::version const actual = made->streams[made->primary].at;
    if (actual == *if_match) return wanted;
    return refusal{refusal_code::version_conflict, "The stream is at version " + std::to_string(actual) +
                                                       ", not " + std::to_string(*if_match) +
                                                       "; read again and decide anew."};
}

refusal short_code_taken(any_input const& input) {
    if (std::holds_alternative<restore_link_input>(input)) {
        return {refusal_code::short_code_taken,
                "Another link has the code meanwhile; change that one's code or delete it first."};
    }
    std::string const message = "is taken by another link; choose another";
    return {refusal_code::short_code_taken, "short_code: " + message, {{"short_code", message}}};
}

refusal slug_taken() {
    std::string const message = "is taken by another workspace; choose another";
    return {refusal_code::slug_taken, "slug: " + message, {{"slug", message}}};
}

refusal key_reused() {
    return {refusal_code::idempotency_key_reused,
            "This idempotency key came with another command or other data before; use a new key."};
}

eventlog::failure too_many_conflicts() {
    return {eventlog::failure_code::timeout, "other writers were faster each time; nothing was written"};
}

/// None: the claim is of something that the next try resolves or makes anew.
std::optional<refusal> refusal_for_claim(any_input const& input, std::string const& scope) {
    if (scope == domain::claim_scope::slug) return slug_taken();
    if (scope != domain::claim_scope::short_code) return std::nullopt;
    auto const* create = std::get_if<create_link_input>(&input);
    if (create && !create->short_code) return std::nullopt;
    return short_code_taken(input);
}

command_answer to_answer(plan const& wanted, eventlog::appended const& done) {
    command_answer answer;
    answer.position = done.last_position;
    answer.stream =
        wanted.prepared ? wanted.prepared->streams.front().stream : wanted.streams[wanted.primary].stream;
    answer.version = done.versions[wanted.prepared ? 0 : wanted.primary];
    answer.events = event_types(wanted);
    answer.result = wanted.result;
    return answer;
}

}  // namespace

std::variant<execution::admitted, refusal> execution::admit(command_request const& request,
                                                            sender const& from) const {
    auto const table = command_table();
    auto const entry = std::find_if(table.begin(), table.end(),
                                    [&](command_description const& one) { return one.name == request.name; });
    if (entry == table.end()) return refusal{refusal_code::not_found, "There is no such command."};
    if (auto no = refuse_scope(*entry, from)) return *no;
    auto const& key = request.idempotency_key;
    if (key && (key->empty() || key->size() > idempotency_key_bytes_max)) {
        return domain::invalid_field("Idempotency-Key", "must be 1 to 255 characters");
    }
    auto parsed = parse_input(request.name, request.data);
    if (auto* no = std::get_if<refusal>(&parsed)) return std::move(*no);
    auto& read = std::get<parsed_input>(parsed);
    std::optional<idempotent_request> identity;
    if (key) identity.emplace(credential_of(from, read.input), *key, request.name, read.canonical);
    return admitted{std::cref(request), std::cref(from), std::move(read.input), std::move(identity)};
}

awaitable<command_outcome> execution::run(command_request const& request, sender const& from) {
    auto const checked = admit(request, from);
    if (auto const* no = std::get_if<refusal>(&checked)) co_return *no;
    co_return co_await run_admitted(std::get<admitted>(checked));
}

awaitable<planned> execution::decide(attempt& on, admitted const& command) {
    on.begin_try();
    auto visitor = [&on](auto const& input) { return handle(on, input); };
    planned wanted = co_await std::visit(visitor, command.input);
    co_return demand_version(std::move(wanted), command.request().if_match);
}

awaitable<command_outcome> execution::run_admitted(admitted const& command) {
    attempt on{with_, command.request().name, command.from()};
    for (int tries = 0; tries < decision_tries_max; ++tries) {
        planned decided = co_await decide(on, command);
        if (auto* failed = std::get_if<eventlog::failure>(&decided)) co_return std::move(*failed);
        if (auto* no = std::get_if<refusal>(&decided)) {
            bool is_outdated = false;
            if (no->code != refusal_code::invalid_input) is_outdated = co_await on.was_outdated();
            if (is_outdated) continue;
            co_return co_await answer_refused(command, std::move(*no));
        }
        plan const& wanted = std::get<plan>(decided);
        auto request = co_await to_append(on, wanted, command.identity);
        if (!request) co_return request.assume_error();
        std::vector<eventlog::append_request> requests;
        requests.push_back(std::move(request.assume_value()));
        auto const outcomes =
            co_await append_all(committer_, std::move(requests), with_.options.command_deadline);
        if (auto verdict = judge(command, wanted, outcomes.front()))
            co_return co_await destroy_erased(wanted, std::move(*verdict));
    }
    co_return too_many_conflicts();
}

/// An earlier try under the same idempotency key may have been carried out; then its answer stands, whatever
/// would be decided now.
awaitable<command_outcome> execution::answer_refused(admitted const& command, refusal no) {
    if (!command.identity) co_return no;
    auto work = [this, id = command.identity->id()] { return log_.find_responses({id}); };
    auto const found = co_await run_blocking(with_.pool, std::move(work));
    if (!found) co_return found.assume_error();
    auto const& stored = found.assume_value().front();
    if (!stored) co_return no;
    if (stored->fingerprint != command.identity->fingerprint()) co_return key_reused();
    auto answer = command.identity->to_answer(stored->answer);
    if (!answer)
        co_return eventlog::failure{eventlog::failure_code::corrupted, "a stored answer does not open"};
    co_return std::move(*answer);
}

/// The event says that the keys are destroyed, so they are before anybody hears of it. Should the store be
/// away just now, every process that sees the event, or starts after it, destroys them (commands/erasure.h).
awaitable<command_outcome> execution::destroy_erased(plan const& wanted, command_outcome answer) {
    auto const* const carried_out = std::get_if<command_answer>(&answer);
    if (wanted.erased_keys.empty() || carried_out == nullptr) co_return answer;
    auto work = [this, ids = wanted.erased_keys, replayed = carried_out->replayed,
                 stream = carried_out->stream]() mutable -> eventlog::result<void> {
        // What an earlier try erased is what its event names: since then there may be a new person's key.
        if (replayed) {
            BOOST_OUTCOME_TRY(ids, erased_keys_in(log_, stream));
        }
        for (auto const& id : ids) {
            BOOST_OUTCOME_TRY(with_.keys.destroy(id));
        }
        return boost::outcome_v2::success();
    };
    auto const destroyed = co_await run_blocking(with_.pool, std::move(work));
    if (!destroyed) co_return destroyed.assume_error();
    co_return answer;
}

std::optional<command_outcome> execution::judge(admitted const& command, plan const& wanted,
                                                eventlog::result<eventlog::append_outcome> const& outcome) {
    if (!outcome) return outcome.assume_error();
    eventlog::append_outcome const& what = outcome.assume_value();
    if (auto const* done = std::get_if<eventlog::appended>(&what)) {
        on_commit_(wanted, *done);
        return to_answer(wanted, *done);
    }
    if (auto const* conflict = std::get_if<eventlog::version_conflict>(&what)) {
        if (wanted.capped_link) return with_.visits->at_cap(*wanted.capped_link);
        with_.facts.forget(conflict->stream);
        return std::nullopt;
    }
    if (auto const* taken = std::get_if<eventlog::claim_taken>(&what)) {
        if (auto no = refusal_for_claim(command.input, taken->scope)) return std::move(*no);
        return std::nullopt;
    }
    if (auto const* before = std::get_if<eventlog::replayed>(&what)) {
        if (command.identity) {
            if (auto answer = command.identity->to_answer(*before)) return std::move(*answer);
        }
        return eventlog::failure{eventlog::failure_code::corrupted, "a stored answer does not open"};
    }
    return key_reused();
}

/// What is decided together. `written` are the streams that its commands, and those put off to a later one,
/// are going to write: whoever rests on them has to wait.
struct execution::wave {
    struct ready {
        waiting command;
        plan wanted;
    };
    std::vector<ready> to_append;
    std::vector<eventlog::append_request> appends;
    std::vector<waiting> refused;
    std::vector<waiting> put_off;
    std::unordered_set<std::string> written;
    std::vector<std::optional<command_outcome>>& outcomes;

    [[nodiscard]] bool must_wait(waiting const& one) const {
        auto const is_written = [&](std::string const& stream) { return written.contains(stream); };
        return std::any_of(one.reads.begin(), one.reads.end(), is_written);
    }
    [[nodiscard]] bool has_earlier(std::size_t index) const {
        return std::any_of(put_off.begin(), put_off.end(),
                           [&](waiting const& one) { return one.index < index; });
    }
    void put_off_to_later(waiting one) {
        written.insert(one.writes.begin(), one.writes.end());
        put_off.push_back(std::move(one));
    }
};

awaitable<void> execution::decide_for(wave& next, waiting one) {
    if (next.must_wait(one)) {
        next.put_off_to_later(std::move(one));
        co_return;
    }
    attempt on{with_, one.command.request().name, one.command.from()};
    planned decided = co_await decide(on, one.command);
    one.reads.clear();
    for (auto const& use : on.uses()) one.reads.push_back(use.stream);
    one.writes.clear();
    auto* wanted = std::get_if<plan>(&decided);
    if (wanted) {
        for (auto const& stream : wanted->streams) one.writes.push_back(stream.stream);
    }
    if (next.must_wait(one)) {
        next.put_off_to_later(std::move(one));
        co_return;
    }
    if (!wanted) {
        next.refused.push_back(std::move(one));
        co_return;
    }
    auto append = co_await to_append(on, *wanted, one.command.identity);
    if (!append) {
        next.outcomes[one.index] = append.assume_error();
        co_return;
    }
    next.written.insert(one.writes.begin(), one.writes.end());
    next.appends.push_back(std::move(append.assume_value()));
    next.to_append.push_back({std::move(one), std::move(*wanted)});
}

awaitable<std::vector<command_outcome>> execution::run_bulk(std::vector<command_request> const& requests,
                                                            sender const& from) {
    std::vector<std::optional<command_outcome>> outcomes(requests.size());
    std::vector<waiting> queue;
    for (std::size_t i = 0; i < requests.size(); ++i) {
        auto checked = admit(requests[i], from);
        if (auto* no = std::get_if<refusal>(&checked)) {
            outcomes[i] = std::move(*no);
        } else {
            queue.push_back({i, std::get<admitted>(std::move(checked))});
        }
    }

    auto const executor = co_await boost::asio::this_coro::executor;
    while (!queue.empty()) {
        wave next{{}, {}, {}, {}, {}, outcomes};
        std::size_t decided = 0;
        for (waiting& one : queue) {
            if (++decided % commands_between_yields == 0) {
                co_await boost::asio::post(executor, boost::asio::use_awaitable);
            }
            co_await decide_for(next, std::move(one));
        }
        auto const results =
            co_await append_all(committer_, std::move(next.appends), with_.options.command_deadline);
        for (std::size_t k = 0; k < next.to_append.size(); ++k) {
            auto& [one, wanted] = next.to_append[k];
            outcomes[one.index] = judge(one.command, wanted, results[k]);
            if (outcomes[one.index]) {
                auto destroyed = co_await destroy_erased(wanted, std::move(*outcomes[one.index]));
                outcomes[one.index] = std::move(destroyed);
            }
            // What was put off may have given free what was refused here: it comes first, then this again.
            bool const is_early = outcomes[one.index] && next.has_earlier(one.index) &&
                                  std::holds_alternative<refusal>(*outcomes[one.index]);
            if (outcomes[one.index] && !is_early) continue;
            if (++one.tries == decision_tries_max) {
                if (!is_early) outcomes[one.index] = too_many_conflicts();
            } else {
                outcomes[one.index].reset();
                next.put_off.push_back(std::move(one));
            }
        }
        // The slow way, which looks whether the refusal rests on old knowledge or an earlier try succeeded.
        for (waiting const& one : next.refused) outcomes[one.index] = co_await run_admitted(one.command);
        queue = std::move(next.put_off);
        std::sort(queue.begin(), queue.end(),
                  [](waiting const& a, waiting const& b) { return a.index < b.index; });
    }

    std::vector<command_outcome> all;
    all.reserve(outcomes.size());
    for (auto& outcome : outcomes) all.push_back(std::move(*outcome));
    co_return all;
}

}  // namespace linkledger::commands
