// Loads the windows that a batch touches, counts in memory, and writes them back as a set.

#include "projections/realtime/realtime_projection.h"

#include "projections/realtime/window.h"
#include "projections/sql_text.h"

#include <algorithm>
#include <array>
#include <map>

namespace linkledger::projections::realtime {
namespace {

constexpr std::array<std::string_view, 1> types{"link.clicked"};
constexpr std::array<std::string_view, 1> table_names{"realtime_v1"};

struct counter {
    bool is_link = false;
    click_window window{};
    domain::timestamp created_at{};  ///< Of the batch's first click; a row that is there keeps its own.
    domain::timestamp updated_at{};
};
using counters = std::map<domain::uuid, counter>;

/// The link and the workspace of a click that counts.
template <typename Each>
void for_each_counter(decoded_event const& event, Each const& each) {
    auto const* const click = std::get_if<domain::click::clicked>(&event.event);
    if (click == nullptr || click->is_bot) return;
    each(click->link_id.value, true);
    auto const& workspace = event.stored.body.workspace_id;
    if (!workspace.is_nil()) each(workspace, false);
}

counters load_touched(event_batch batch, sql::connection& from) {
    counters found;
    for (auto const* event : batch)
        for_each_counter(*event, [&](domain::uuid const& id, bool is_link) { found[id].is_link = is_link; });
    if (found.empty()) return found;
    std::vector<domain::uuid> wanted;
    wanted.reserve(found.size());
    for (auto const& [id, unused] : found) wanted.push_back(id);
    from.query("SELECT id, window_opened_at, count, position FROM realtime_v1 WHERE " +
                   is_one_of(from.dialect(), "id", "$1"),
               {json_array(wanted)}, [&](sql::row const& r) {
                   found[r.id(0)].window = {r.time(1), r.integer(2), r.integer(3)};
               });
    return found;
}

void write(counters const& changed, sql::connection& to) {
    std::vector<sql::parameters> rows;
    rows.reserve(changed.size());
    for (auto const& [id, each] : changed)
        rows.push_back({id, std::string{each.is_link ? "link" : "workspace"}, each.window.opened_at,
                        each.window.count, each.window.position, each.created_at, each.updated_at});
    to.execute_values(
        "INSERT INTO realtime_v1 (id, kind, window_opened_at, count, position, created_at, updated_at) "
        "SELECT column1, column2, column3, column4, column5, column6, column7 FROM {values} AS v WHERE true "
        "ON CONFLICT (id) DO UPDATE SET window_opened_at = excluded.window_opened_at, "
        "count = excluded.count, position = excluded.position, updated_at = excluded.updated_at",
        {"uuid", "text", "timestamptz", "bigint", "bigint", "timestamptz", "timestamptz"}, rows);
}

}  // namespace

std::span<std::string_view const> realtime_projection::event_types() const {
    return types;
}

std::span<std::string_view const> realtime_projection::tables() const {
    return table_names;
}

void realtime_projection::apply(event_batch batch, sql::connection& transaction) {
    auto touched = load_touched(batch, transaction);
    if (touched.empty()) return;
    for (auto const* event : batch) {
        auto const& stored = event->stored;
        for_each_counter(*event, [&](domain::uuid const& id, bool) {
            auto& counter = touched[id];
            counter.window.add(stored.recorded_at, stored.position);
            if (counter.updated_at == domain::timestamp{}) counter.created_at = stored.recorded_at;
            counter.updated_at = std::max(counter.updated_at, stored.recorded_at);
        });
    }
    write(touched, transaction);
}

}  // namespace linkledger::projections::realtime
