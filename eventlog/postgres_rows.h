#pragma once
// The log's tables in PostgreSQL read into the port's types.

#include "eventlog/event_log.h"
#include "eventlog/sql/postgres_connection.h"

namespace linkledger::eventlog {

/// Whether a query leaves nothing out between its positions.
[[nodiscard]] bool is_of_all(read_query const& query);

/// The query's events up to `bound`. A search for rare types ends at `deadline` with what it has found.
[[nodiscard]] read_page read_page_up_to(sql::connection& from, read_query const& query, position bound,
                                        std::chrono::steady_clock::time_point deadline);
/// The leaf hashes of the positions that follow `after`.
[[nodiscard]] std::vector<digest> read_leaf_hash_page(sql::connection& from, position after,
                                                      std::size_t limit);
/// A stream's events with `version > after`, oldest first.
[[nodiscard]] std::vector<recorded_event> read_stream_events(sql::connection& from, std::string const& stream,
                                                             version after, std::size_t limit);
/// One for each id, in order.
[[nodiscard]] std::vector<std::optional<stored_response>> read_responses(sql::postgres_connection& from,
                                                                         std::vector<digest> const& ids);
/// From `key_id, subject, wrapped`.
[[nodiscard]] stored_key read_key(sql::row const& from);

}  // namespace linkledger::eventlog
