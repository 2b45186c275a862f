// The table.

#include "api/endpoints.h"

#include "api/handlers.h"
#include "api/openapi_schema.h"
#include "api/wire_types.h"
#include "projections/accounts/accounts_queries.h"
#include "projections/audit_logs/audit_logs_queries.h"
#include "projections/clicks/clicks_queries.h"
#include "projections/links/links_queries.h"
#include "projections/realtime/realtime_queries.h"

namespace linkledger::api {

namespace {

using domain::scope;
using projections::page_of;
namespace accounts = projections::accounts;
namespace audit = projections::audit_logs;
namespace clicks = projections::clicks;
namespace links = projections::links;

using enum parameter_type;
constexpr auto waiting = parameter_group::waiting;
constexpr auto list = parameter_group::waiting | parameter_group::paging;
constexpr auto cursor_list = list | parameter_group::cursor;

constexpr parameter order{"order", choice, "Of the sort.", "asc,desc"};
constexpr parameter as_of{"as_of", text,
                          "As it was: a position of the log, or an RFC 3339 time of recording."};
constexpr std::array as_of_parameters{as_of};
constexpr std::array diff_parameters{parameter{"from", text, "The earlier moment: a position, or a time."},
                                     parameter{"to", text, "The later one; now unless told."}};
constexpr parameter from{"from", time, "Inclusive."};
constexpr parameter to{"to", time, "Exclusive."};

constexpr std::array workspace_parameters{parameter{"sort", choice, "By what.", "created_at,name,slug"},
                                          order};
constexpr std::array member_parameters{
    parameter{"search", text, "Found anywhere in name or e-mail, in any case."},
    parameter{"sort", choice, "By what.", "joined_at,name,email,role"}, order};
constexpr std::array invitation_parameters{
    parameter{"open", boolean, "Only those neither accepted nor revoked."},
    parameter{"sort", choice, "By what.", "created_at,expires_at"}, order};
constexpr std::array link_parameters{
    parameter{"workspace_id", uuid, "Only its links; else those of all workspaces that the key may read."},
    parameter{"search", text, "Found anywhere in code, URL, title or description, in any case."},
    parameter{"tag", text, "Exactly this tag."},
    parameter{"deleted", boolean, "Deleted links too."},
    parameter{"sort", choice, "By what.", "created_at,total_clicks,title"},
    order};
constexpr std::array click_parameters{parameter{"is_bot", boolean, "Only bots, or only people."}, from, to,
                                      order};
constexpr std::array stats_parameters{
    from, to, parameter{"interval", choice, "Of the series.", "hour,day,month"}, as_of};
constexpr std::array rebuild_parameters{
    parameter{"version", integer, "Which version; the newest unless told.", "", 1, 10'000},
    parameter{"jobs", integer, "Threads; 2 unless told.", "", 1, 64},
    parameter{"max_rate", integer, "Events a second at most.", "", 1},
    parameter{"switch", boolean, "Whether it is switched in when it is done; true unless told."},
    parameter{"accept_differences", boolean, "Switch though the new rows differ from the live ones."}};
constexpr std::array audit_parameters{
    parameter{"action", text, "The event's type, like link.created."},
    parameter{"user_id", uuid, "Who did it."},
    parameter{"resource_type", text, "workspace, member, invitation, user, api_key or link."},
    parameter{"resource_id", uuid, "To what."},
    from,
    to,
    order};
constexpr parameter after{"after", integer, "Events beyond this position."};
constexpr parameter limit{"limit", integer, "How many at most; 100 unless told.", {}, 1, 1'000};
constexpr std::array history_parameters{after, limit};
constexpr std::array event_parameters{
    after,
    parameter{"limit", integer, "How many at most; a page has 100 unless told, a stream all.", {}, 1, 1'000},
    parameter{"stream", text, "Only this stream."}, parameter{"type", text, "Only this type."},
    parameter{"workspace_id", uuid, "Only this workspace."}};

constexpr std::array table{
    endpoint{method::post,
             "/v1/commands/{name}",
             std::nullopt,
             "Carry out a command",
             run_command,
             {},
             parameter_group::none,
             response_of<command_answer>,
             "application/json",
             "Commands"},
    endpoint{method::post,
             "/v1/commands",
             scope::write,
             "Carry out up to 1,000 commands",
             run_commands,
             {},
             parameter_group::none,
             response_of<std::vector<command_answer>>,
             "application/json",
             "Commands"},

    endpoint{method::get, "/v1/workspaces", scope::read, "Workspaces of the key's user", list_workspaces,
             workspace_parameters, list, response_of<page_of<accounts::workspace_row>>},
    endpoint{method::get, "/v1/workspaces/{id}", scope::read, "A workspace", get_workspace, as_of_parameters,
             waiting, response_of<accounts::workspace_row>},
    endpoint{method::get, "/v1/workspaces/{id}/members", scope::read, "Its members", list_members,
             member_parameters, list, response_of<page_of<accounts::member_row>>},
    endpoint{method::get, "/v1/workspaces/{id}/invitations", scope::read, "Its invitations", list_invitations,
             invitation_parameters, list, response_of<page_of<accounts::invitation_row>>},
    endpoint{
        method::get, "/v1/workspaces/{id}/audit-logs", scope::audit,
        "Who did what, when, with old and new values; all of it by Accept text/csv or application/x-ndjson",
        list_audit_logs, audit_parameters, cursor_list, response_of<page_of<audit::audit_row>>},
    endpoint{method::get, "/v1/links", scope::read, "Links", list_links, link_parameters, list,
             response_of<page_of<links::link_row>>},
    endpoint{method::get, "/v1/links/{id}", scope::read, "A link, deleted or not", get_link, as_of_parameters,
             waiting, response_of<links::link_row>},
    endpoint{method::get, "/v1/links/{id}/history", scope::read, "A link's events, its clicks apart",
             get_link_history, history_parameters, parameter_group::none, response_of<event_page>,
             "application/json", "Log"},
    endpoint{method::get, "/v1/links/{id}/diff", scope::read, "What changed in a link between two moments",
             get_link_diff, diff_parameters, waiting, response_of<link_diff>},
    endpoint{method::get, "/v1/workspaces/{id}/history", scope::audit,
             "A workspace's events: its name, members and invitations", get_workspace_history,
             history_parameters, parameter_group::none, response_of<event_page>, "application/json", "Log"},
    endpoint{method::get, "/v1/api-keys/{id}/history", scope::audit, "An API key's events",
             get_api_key_history, history_parameters, parameter_group::none, response_of<event_page>,
             "application/json", "Log"},
    endpoint{method::get, "/v1/users/{id}/history", scope::audit,
             "A user's events; for the user and the first admin", get_user_history, history_parameters,
             parameter_group::none, response_of<event_page>, "application/json", "Log"},
    endpoint{method::get, "/v1/links/{id}/clicks", scope::read, "A link's clicks, one by one", list_clicks,
             click_parameters, cursor_list, response_of<page_of<clicks::click_row>>},
    endpoint{method::get, "/v1/links/{id}/stats", scope::read,
             "Totals, uniques, shares and a time series; bots are left out", get_link_stats, stats_parameters,
             waiting, response_of<clicks::link_stats>},
    endpoint{method::get,
             "/v1/links/{id}/realtime",
             scope::read,
             "People's clicks in the link's current 24-hour window; live with Accept text/event-stream",
             get_link_realtime,
             {},
             waiting,
             response_of<projections::realtime::realtime_count>},
    endpoint{method::get,
             "/v1/workspaces/{id}/realtime",
             scope::read,
             "The same of all links of a workspace, which has a window of its own",
             get_workspace_realtime,
             {},
             waiting,
             response_of<projections::realtime::realtime_count>},
    endpoint{
        method::get, "/v1/events", scope::audit,
        "The log: a page of JSON, or by Accept application/x-ndjson up to the head, or text/event-stream "
        "live (Last-Event-ID goes on)",
        get_events, event_parameters, parameter_group::none, response_of<event_page>, "application/json",
        "Log"},
    endpoint{
        method::get,
        "/v1/events/{position}/proof",
        scope::audit,
        "That the event is in the signed log: a C2SP tlog-proof, and the opening of its leaf. With Accept "
        "text/plain the proof alone (its extra line is the opening)",
        get_event_proof,
        {},
        parameter_group::none,
        response_of<event_proof_answer>,
        "application/json",
        "Log"},
    endpoint{method::get,
             "/v1/erasures/{position}",
             scope::admin,
             "What became of the erasure at the position that EraseSubject answered, with its signed receipt",
             get_erasure,
             {},
             parameter_group::none,
             response_of<erasure_answer>,
             "application/json",
             "Log"},
    endpoint{method::get,
             "/log/checkpoint",
             std::nullopt,
             "The signed head of the log (C2SP tlog-checkpoint)",
             get_checkpoint,
             {},
             parameter_group::none,
             nullptr,
             "text/plain; charset=utf-8",
             "Log"},
    endpoint{method::get,
             "/log/tile/{rest}",
             std::nullopt,
             "Tiles and entries of the log (C2SP tlog-tiles): <L>/<N>[.p/<W>] or entries/<N>[.p/<W>]",
             get_log_tile,
             {},
             parameter_group::none,
             nullptr,
             "application/octet-stream",
             "Log"},
    endpoint{method::get,
             "/v1/projections",
             scope::read,
             "Read models, their positions and lag, and how rebuilds go",
             list_projections,
             {},
             parameter_group::none,
             response_of<projection_list>,
             "application/json",
             "System"},
    endpoint{
        method::post, "/v1/projections/{name}/rebuild", scope::admin,
        "Build a version of a read model beside the live one and switch it in, with the first admin key; "
        "202 once it is under way, and an unfinished one goes on",
        start_rebuild, rebuild_parameters, parameter_group::none, response_of<projections::rebuild_status>,
        "application/json", "System"},

    endpoint{method::get,
             "/healthz",
             std::nullopt,
             "The process lives",
             healthz,
             {},
             parameter_group::none,
             response_of<health>,
             "application/json",
             "System"},
    endpoint{method::get,
             "/readyz",
             std::nullopt,
             "Each dependency; 503 without the log",
             readyz,
             {},
             parameter_group::none,
             response_of<readiness>,
             "application/json",
             "System"},
    endpoint{method::get,
             "/metrics",
             std::nullopt,
             "Prometheus metrics",
             get_metrics,
             {},
             parameter_group::none,
             nullptr,
             "text/plain; version=0.0.4; charset=utf-8",
             "System"},
    endpoint{method::get,
             "/openapi.json",
             std::nullopt,
             "This document",
             get_openapi,
             {},
             parameter_group::none,
             nullptr,
             "application/json",
             "System"},
    endpoint{method::get,
             "/docs",
             std::nullopt,
             "This document, for reading",
             get_docs,
             {},
             parameter_group::none,
             nullptr,
             "text/html; charset=utf-8",
             "System"},
};

}  // namespace

std::span<endpoint const> endpoints() {
    return table;
}

}  // namespace linkledger::api
