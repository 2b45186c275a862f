// What became of an erasure, and its signed receipt.

#include "api/exchange.h"
#include "api/handlers.h"
#include "api/json_text.h"
#include "api/wire_types.h"
#include "eventlog/merkle/note.h"
#include "eventlog/merkle/published.h"
#include "projections/erasure_receipt.h"

#include <charconv>

namespace linkledger::api {

namespace {

using eventlog::result;
using projections::erasure_report;

std::optional<eventlog::position> position_in(std::string_view text) {
    eventlog::position at = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), at);
    if (error != std::errc{} || end != text.data() + text.size() || at < 1) return std::nullopt;
    return at;
}

void refuse_unknown_erasure(exchange& x) {
    x.refuse_not_found("At this position is no erasure, or none that this key may know of.");
}

result<std::optional<erasure_report>> look(services const& on, eventlog::position at) {
    std::string checkpoint;
    if (on.tree != nullptr) {
        BOOST_OUTCOME_TRY(auto const head, on.tree->head());
        if (head) checkpoint = head->checkpoint;
    }
    return projections::report_erasure(on.log, on.reads, at, checkpoint);
}

/// Who ordered it, the first admin, and who answers for the workspace whose clicks they were. False: refused.
[[nodiscard]] awaitable<bool> may_know(exchange& x, erasure_report const& report) {
    if (x.who.root || report.ordered_by == x.who.user_id) co_return true;
    if (report.workspace_id.is_nil()) {
        refuse_unknown_erasure(x);
        co_return false;
    }
    domain::workspace_id const workspace{report.workspace_id};
    co_return co_await may_read(x, workspace);
}

}  // namespace

awaitable<void> get_erasure(exchange& x) {
    auto const at = position_in(x.path_values[0]);
    if (!at) {
        x.refuse(domain::invalid_field("position", "must be the position of an erasure"));
        co_return;
    }
    std::optional<result<std::optional<erasure_report>>> outcome;
    std::function<void()> work = [&] { outcome.emplace(look(x.shared.on, *at)); };
    if (!co_await run_off_thread(x, std::move(work))) co_return;
    if (!outcome->has_value()) {
        x.refuse(outcome->error());
        co_return;
    }
    auto const& report = outcome->value();
    if (!report) {
        refuse_unknown_erasure(x);
        co_return;
    }
    if (!co_await may_know(x, *report)) co_return;
    erasure_answer answer;
    answer.position = report->position;
    answer.subject = report->subject;
    answer.keys_destroyed = report->keys_destroyed;
    answer.read_models_follow = report->read_models_follow;
    answer.is_done = report->receipt.has_value();
    if (report->receipt && x.shared.on.sign) answer.receipt = x.shared.on.sign(*report->receipt);
    x.answer_json(to_json_text(answer));
}

}  // namespace linkledger::api
