#include "projections/accounts/workspace_as_of.h"

#include "domain/workspace/workspace.h"
#include "eventlog/codec.h"

#include <utility>

namespace linkledger::projections::accounts {

eventlog::result<std::optional<workspace_row>> fold_workspace(
    std::span<eventlog::recorded_event const> events, std::optional<domain::user_id> const& member) {
    domain::workspace::state workspace;
    workspace_row row;
    for (auto const& event : events) {
        BOOST_OUTCOME_TRY(auto const decoded, eventlog::decode(event.body.type, event.body.schema_version,
                                                               event.body.data, std::nullopt));
        workspace = evolve(std::move(workspace), decoded);
        if (auto const* made = std::get_if<domain::workspace::created>(&decoded)) {
            row.owner_id = made->owner_id;
            row.plan = made->plan;
            row.created_at = row.updated_at = event.recorded_at;
        }
        if (std::holds_alternative<domain::workspace::renamed>(decoded)) row.updated_at = event.recorded_at;
    }
    if (!workspace.exists) return std::optional<workspace_row>{};
    row.id = workspace.workspace_id;
    row.name = workspace.name;
    row.slug = workspace.slug;
    row.member_count = static_cast<std::int64_t>(workspace.members.size());
    if (member)
        if (auto const found = workspace.members.find(*member); found != workspace.members.end())
            row.role = found->second;
    return std::optional{std::move(row)};
}

}  // namespace linkledger::projections::accounts
