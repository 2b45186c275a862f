#pragma once
// The log's tables in PostgreSQL read into the port's types.

#include "eventlog/event_log.h"
#include "eventlog/sql/postgres_connection.h"

namespace linkledger::eventlog {

/// Events of the query up to `bound`, by position.
[[nodiscard]] std::vector<recorded_event> read_events(sql::connection& from, read_query const& query,
                                                      position bound);
/// A stream's events with `version > after`, oldest first.
[[nodiscard]] std::vector<recorded_event> read_stream_events(sql::connection& from, std::string const& stream,
                                                             version after, std::size_t limit);
/// One for each id, in order.
[[nodiscard]] std::vector<std::optional<stored_response>> read_responses(sql::postgres_connection& from,
                                                                         std::vector<digest> const& ids);
/// From `key_id, subject, wrapped`.
[[nodiscard]] stored_key read_key(sql::row const& from);

}  // namespace linkledger::eventlog
