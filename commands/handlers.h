#pragma once
// A handler per command: loads what the decision rests on, asks the decider, and plans what is to be
// appended. Handlers hold no rules and append nothing.

#include "commands/attempt.h"

namespace linkledger::commands {

#define LINKLEDGER_COMMAND_HANDLER(NAME, INPUT, RESULT, SCOPE, SUMMARY) \
    [[nodiscard]] awaitable<planned> handle(attempt& on, INPUT const& input);
LINKLEDGER_COMMANDS(LINKLEDGER_COMMAND_HANDLER)
#undef LINKLEDGER_COMMAND_HANDLER

/// The plan for one stream's decision, with the claims of its events, or the refusal. `before`: the workspace
/// that the events are about, where they are a workspace's own.
[[nodiscard]] planned plan_of(attempt const& on, std::string stream, eventlog::version at,
                              domain::uuid const& workspace, domain::decision decided, std::string result,
                              domain::workspace::state const& before = {});

/// Adds another stream's decision to a plan; false after a refusal, which then stands in `into`.
[[nodiscard]] bool add_to(planned& into, planned more);

}  // namespace linkledger::commands
