#include "projections/realtime/realtime_check.h"

#include <fmt/format.h>

namespace linkledger::projections::realtime {
namespace {

std::string describe(click_window const& window) {
    return fmt::format("{} since {}", window.count, domain::to_rfc3339(window.opened_at));
}

}  // namespace

counter_check::counter_check(read_store& store) {
    store.read("realtime", [&](snapshot const& now) {
        at_ = now.position;
        now.rows.query("SELECT id, window_opened_at, count, position FROM realtime_v1", {},
                       [&](sql::row const& r) {
                           stored_[r.id(0)] = {r.time(1), r.integer(2), r.integer(3)};
                       });
    });
}

void counter_check::fold(eventlog::recorded_event const& event, domain::click::clicked const& click) {
    if (event.position > at_ || click.is_bot) return;
    folded_[click.link_id.value].add(event.recorded_at, event.position);
    auto const& workspace = event.body.workspace_id;
    if (!workspace.is_nil()) folded_[workspace].add(event.recorded_at, event.position);
}

void counter_check::compare(std::function<void(std::string)> const& note) const {
    for (auto const& [id, wanted] : folded_) {
        auto const found = stored_.find(id);
        if (found == stored_.end())
            note(fmt::format("the counter of {} is missing", domain::to_string(id)));
        else if (found->second != wanted)
            note(fmt::format("the counter of {} is {}, the log has {}", domain::to_string(id),
                             describe(found->second), describe(wanted)));
    }
    for (auto const& [id, stored] : stored_)
        if (!folded_.contains(id))
            note(fmt::format("the counter of {} is not in the log", domain::to_string(id)));
}

}  // namespace linkledger::projections::realtime
