#pragma once
// From a plan to the bytes that the log takes: events encoded, personal parts and context sealed, metadata,
// claims and the idempotency entry filled in.

#include "commands/attempt.h"
#include "commands/idempotency.h"

namespace linkledger::commands {

/// Keys that this process has at hand are used at once; others are fetched or made on the pool.
[[nodiscard]] awaitable<eventlog::result<eventlog::append_request>> to_append(
    attempt const& on, plan const& wanted, std::optional<idempotent_request> const& identity);

/// The types of a plan's events, in order.
[[nodiscard]] std::vector<std::string> event_types(plan const& wanted);

}  // namespace linkledger::commands
