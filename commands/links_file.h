#pragma once
// The links that a process knows, on its disk: what a start while the log is away redirects by.

#include "commands/link_table.h"
#include "eventlog/event_log.h"

#include <chrono>
#include <string>

namespace linkledger::commands {

struct links_file_head {
    eventlog::log_head history;  ///< `last`: what the log held up to here is in the file, and perhaps more.
    domain::timestamp learnt_at{};  ///< When the log was last heard of.

    /// 0 for a time in the future.
    [[nodiscard]] std::chrono::milliseconds age(domain::timestamp now) const;
};

/// Replaces the file as a whole; durable on return. Takes a second or two for 1,000,000 links. `unavailable`
/// names what is wrong with the file.
eventlog::result<void> write_links(std::string const& path, links_file_head const& head,
                                   link_table const& from);

/// What the file says of itself. `unavailable`: there is no such file, or it cannot be read.
struct links_file_summary {
    links_file_head head;
    std::size_t links = 0;
};
eventlog::result<links_file_summary> look_at_links(std::string const& path);

/// Adds what the file holds to the table. `unavailable`: there is no such file, or it cannot be read.
eventlog::result<links_file_head> read_links(std::string const& path, link_table& into);

}  // namespace linkledger::commands
