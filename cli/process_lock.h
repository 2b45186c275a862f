#pragma once
// The right to do something that one process of a log does at a time.

#include "cli/configuration.h"

#include <memory>
#include <string>

namespace linkledger::cli {

/// Given up on destruction, and by the operating system or the database when the process dies.
class process_lock {
public:
    virtual ~process_lock() = default;
};

/// Null when another process has it. Throws sql::error where the database is away.
[[nodiscard]] std::unique_ptr<process_lock> try_process_lock(configuration const& from,
                                                             std::string const& what);

}  // namespace linkledger::cli
