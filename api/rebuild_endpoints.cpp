// Rebuilds of read models, asked for over HTTP.

#include "api/exchange.h"
#include "api/handlers.h"
#include "api/json_text.h"
#include "projections/rebuild/manager.h"

namespace linkledger::api {

/// 202 once it is under way; GET /v1/projections tells how it goes on.
awaitable<void> start_rebuild(exchange& x) {
    // Read models are everybody's: a key of one workspace, or of one user, has no say.
    if (!x.who.root) {
        x.refuse(domain::refusal{
            domain::refusal_code::forbidden, "Only the first admin key rebuilds read models.", {}});
        co_return;
    }
    auto* const manager = x.shared.on.rebuilds;
    if (manager == nullptr) {
        problem const elsewhere{
            503, "unavailable", "This process rebuilds nothing; use linkledger rebuild.", {}, 0};
        x.refuse(elsewhere);
        co_return;
    }
    projections::rebuild_options options;
    options.name = std::string{x.path_values[0]};
    if (auto const version = x.integer("version")) options.version = static_cast<int>(*version);
    options.jobs = static_cast<int>(x.integer("jobs").value_or(options.jobs));
    options.rate_max = x.integer("max_rate").value_or(0);
    options.switches = x.boolean("switch").value_or(true);
    options.accepts_differences = x.boolean("accept_differences").value_or(false);
    std::string text;
    std::string refusal;
    std::function<void()> start = [&] {
        try {
            auto const status = manager->start(options);
            text = to_json_text(status);
        } catch (projections::version_refused const& refused) {
            refusal = refused.what();
        }
    };
    if (!co_await run_off_thread(x, std::move(start))) co_return;
    if (!refusal.empty()) {
        problem const conflict{409, "rebuild_refused", refusal, {}, 0};
        x.refuse(conflict);
        co_return;
    }
    x.answer_json(std::move(text));
    x.to.status = 202;
}

}  // namespace linkledger::api
