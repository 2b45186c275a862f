#pragma once
// Appends by the committer, awaited together and with a deadline.

#include "commands/async.h"
#include "eventlog/committer.h"

#include <chrono>
#include <vector>

namespace linkledger::commands {

/// Submits every append at once, in order, and resumes with their outcomes in that order when all are there.
/// At the deadline those that are missing become `unknown_outcome`: they may still happen.
[[nodiscard]] awaitable<std::vector<eventlog::result<eventlog::append_outcome>>> append_all(
    eventlog::committer& committer, std::vector<eventlog::append_request> requests,
    std::chrono::milliseconds deadline);

}  // namespace linkledger::commands
