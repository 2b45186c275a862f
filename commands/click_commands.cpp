// ClickLink: a click that another server saw and reports. The click path decides; here is who may report.

#include "commands/handlers.h"
#include "commands/visits.h"
#include "eventlog/json.h"
#include "eventlog/json_reflect.h"

namespace linkledger::commands {

awaitable<planned> handle(attempt& on, click_link_input const& input) {
    click_report const report{input.short_code, input.link_id, input.visitor,    input.ip,
                              input.user_agent, input.referer, input.occurred_at};
    auto const where = co_await on.with().visits->workspace_of(report);
    if (auto const* no = std::get_if<domain::refusal>(&where)) co_return *no;
    if (auto const* failed = std::get_if<eventlog::failure>(&where)) co_return *failed;

    auto const workspace = co_await on.load(std::get<domain::workspace_id>(where));
    if (!workspace) co_return workspace.assume_error();
    auto const by = domain::workspace::standing_of(*workspace.assume_value().state, on.by());
    if (auto no = domain::refuse_below(by, domain::role::member, "link")) co_return *no;

    eventlog::metadata const cause = on.metadata();
    auto click = co_await on.with().visits->prepare(report, cause);
    if (auto* no = std::get_if<domain::refusal>(&click)) co_return std::move(*no);
    if (auto* failed = std::get_if<eventlog::failure>(&click)) co_return std::move(*failed);
    auto& ready = std::get<prepared_click>(click);
    plan made;
    click_result const result{ready.link_id};
    made.result = json::to_text(result);
    made.prepared = std::move(ready.append);
    made.capped_link = ready.link_id;
    co_return made;
}

}  // namespace linkledger::commands
