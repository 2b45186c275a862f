#pragma once
// Commands from request to outcome: admit, decide, append, and try again where another writer was faster.

#include "commands/attempt.h"
#include "commands/command_bus.h"
#include "commands/idempotency.h"
#include "eventlog/committer.h"

#include <functional>
#include <optional>
#include <variant>
#include <vector>

namespace linkledger::commands {

/// Safe to call from any executor; resumes the caller on its own. What it is given must outlive it.
class execution {
public:
    /// `on_commit` is called with every plan that was appended, before the command is answered.
    using commit_listener = std::function<void(plan const&, eventlog::appended const&)>;

    execution(pipeline const& with, eventlog::event_log& log, eventlog::committer& committer,
              commit_listener on_commit)
        : with_(with), log_(log), committer_(committer), on_commit_(std::move(on_commit)) {}

    [[nodiscard]] awaitable<command_outcome> run(command_request const& request, sender const& from);

    /// Runs commands in waves: a wave decides and appends together all that do not rest on streams that an
    /// earlier command of the bulk has yet to write. So each sees the ones before it, and links that have
    /// nothing to do with each other share batches.
    [[nodiscard]] awaitable<std::vector<command_outcome>> run_bulk(
        std::vector<command_request> const& requests, sender const& from);

private:
    /// A request that is well formed and that its sender's scopes allow.
    struct admitted {
        std::reference_wrapper<command_request const> request_;
        std::reference_wrapper<sender const> from_;
        any_input input;
        std::optional<idempotent_request> identity;

        [[nodiscard]] command_request const& request() const { return request_; }
        [[nodiscard]] sender const& from() const { return from_; }
    };
    /// A command of a bulk that has no outcome yet.
    struct waiting {
        std::size_t index;
        admitted command;
        int tries = 0;
        std::vector<std::string> reads{};   ///< Streams that it rests on, once it was decided.
        std::vector<std::string> writes{};  ///< Streams that it would write.
    };
    struct wave;

    [[nodiscard]] std::variant<admitted, domain::refusal> admit(command_request const& request,
                                                                sender const& from) const;
    awaitable<planned> decide(attempt& on, admitted const& command);
    awaitable<command_outcome> run_admitted(admitted const& command);
    awaitable<command_outcome> destroy_erased(plan const& wanted, command_outcome answer);
    awaitable<void> decide_for(wave& next, waiting one);
    awaitable<command_outcome> answer_refused(admitted const& command, domain::refusal no);
    [[nodiscard]] std::optional<command_outcome> judge(
        admitted const& command, plan const& wanted,
        eventlog::result<eventlog::append_outcome> const& outcome);

    pipeline const& with_;
    eventlog::event_log& log_;
    eventlog::committer& committer_;
    commit_listener on_commit_;
};

}  // namespace linkledger::commands
