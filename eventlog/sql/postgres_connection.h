#pragma once
// sql::connection on PostgreSQL, with what the event log needs beyond the common interface: parameters in
// binary form, and notifications.

#include "eventlog/sql/connection.h"

namespace linkledger::sql {

class postgres_connection : public connection {
public:
    /// Runs a query whose parameters all come in PostgreSQL's binary form (sql/binary_array.h).
    virtual void query_binary(std::string const& sql, std::vector<std::string> const& values,
                              std::function<void(row const&)> const& each) = 0;

    /// Subscribes to notifications on a channel (once per connection).
    virtual void listen(std::string const& channel) = 0;
    /// The last notification's payload; none when there was none within `time`. Throws `unavailable` once the
    /// connection is broken.
    virtual std::optional<std::string> await_notification(std::chrono::milliseconds time) = 0;
};

std::unique_ptr<postgres_connection> open_postgres_connection(postgres_options const& options);

}  // namespace linkledger::sql
