#pragma once
// Long stretches of the log, read as fast as the store gives them and with the parts alone that are asked
// for: what rebuilds are made of.

#include "eventlog/event_log.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace linkledger::eventlog {

/// What a bulk read brings along beside position, times, event id, type and data. What is not asked for is
/// empty.
struct bulk_fields {
    bool stream = false;  ///< And version.
    bool workspace = false;
    bool personal = false;
    bool cause = false;  ///< Metadata and context.
    bool leaf = false;   ///< Salt and leaf hash.
};

struct bulk_query {
    position after = 0;
    position until = 0;                ///< Inclusive; not beyond the head.
    std::vector<std::string> types{};  ///< Empty: all.
    bulk_fields fields{};
};

/// One connection of its own; not safe for use by two threads at once. A failed read can be repeated.
class bulk_reader {
public:
    virtual ~bulk_reader() = default;
    /// Calls `each` for every event in order of position; it may take what it is given. A stretch without
    /// events of these types is no failure.
    virtual result<void> read(bulk_query const& query, std::function<void(recorded_event&)> const& each) = 0;
};

using bulk_reader_factory = std::function<std::unique_ptr<bulk_reader>()>;

/// Connects with the first read.
[[nodiscard]] std::unique_ptr<bulk_reader> create_postgres_bulk_reader(std::string const& url);
/// `map`: reads the file mapped into memory, a tenth faster; what was read counts as the process's memory
/// then.
[[nodiscard]] std::unique_ptr<bulk_reader> create_sqlite_bulk_reader(std::string const& path, bool map);
/// Through the port, page by page; `log` must outlive it.
[[nodiscard]] std::unique_ptr<bulk_reader> create_bulk_reader(event_log& log);

}  // namespace linkledger::eventlog
