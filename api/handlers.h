#pragma once
// The handlers that the table of endpoints names, a group per .cpp file.

#include "api/http.h"

#include <string>

namespace linkledger::api {

class exchange;
struct shared_state;

// command_endpoints.cpp
awaitable<void> run_command(exchange& x);
awaitable<void> run_commands(exchange& x);

// read_endpoints.cpp
awaitable<void> list_workspaces(exchange& x);
awaitable<void> get_workspace(exchange& x);
awaitable<void> list_members(exchange& x);
awaitable<void> list_invitations(exchange& x);
awaitable<void> list_links(exchange& x);
awaitable<void> get_link(exchange& x);
awaitable<void> list_clicks(exchange& x);
awaitable<void> get_link_stats(exchange& x);

// realtime_endpoints.cpp
awaitable<void> get_link_realtime(exchange& x);
awaitable<void> get_workspace_realtime(exchange& x);

// as_of_endpoints.cpp: the same reads at an earlier moment, by ?as_of=.
awaitable<void> get_workspace_as_of(exchange& x);
awaitable<void> get_link_as_of(exchange& x);
awaitable<void> get_link_stats_as_of(exchange& x);
awaitable<void> get_link_diff(exchange& x);

// audit_endpoints.cpp
awaitable<void> list_audit_logs(exchange& x);

// event_endpoints.cpp
awaitable<void> get_link_history(exchange& x);
awaitable<void> get_workspace_history(exchange& x);
awaitable<void> get_api_key_history(exchange& x);
awaitable<void> get_user_history(exchange& x);
awaitable<void> get_events(exchange& x);

// erasure_endpoints.cpp
awaitable<void> get_erasure(exchange& x);

// log_endpoints.cpp
awaitable<void> get_checkpoint(exchange& x);
awaitable<void> get_log_tile(exchange& x);
awaitable<void> get_event_proof(exchange& x);

// rebuild_endpoints.cpp
awaitable<void> start_rebuild(exchange& x);

// system_endpoints.cpp
awaitable<void> list_projections(exchange& x);
awaitable<void> healthz(exchange& x);
awaitable<void> readyz(exchange& x);
awaitable<void> get_metrics(exchange& x);
awaitable<void> get_openapi(exchange& x);
awaitable<void> get_docs(exchange& x);

// redirect.cpp: every path of one segment that no endpoint has.
awaitable<void> follow_link(shared_state& shared, request const& from, response& to);

/// The OpenAPI 3.1 document; the same bytes for the life of the process.
[[nodiscard]] std::string const& openapi_document(shared_state const& shared);
/// The page that renders it, with nothing from elsewhere.
[[nodiscard]] std::string const& docs_page();

}  // namespace linkledger::api
