#include "commands/handlers.h"

#include <iterator>

namespace linkledger::commands {

planned plan_of(attempt const& on, std::string stream, eventlog::version at, domain::uuid const& workspace,
                domain::decision decided, std::string result, domain::workspace::state const& before) {
    if (auto* no = std::get_if<domain::refusal>(&decided)) return std::move(*no);
    plan made;
    auto const hash = [&](std::string_view email) { return on.with().email_hash(email); };
    auto& events = std::get<std::vector<domain::event>>(decided);
    for (domain::event const& happened : events) {
        auto claims = domain::claims_of(happened, before, hash);
        std::move(claims.begin(), claims.end(), std::back_inserter(made.claims));
    }
    made.streams.push_back({std::move(stream), at, workspace, std::move(events)});
    made.result = std::move(result);
    return made;
}

bool add_to(planned& into, planned more) {
    auto* base = std::get_if<plan>(&into);
    auto* added = std::get_if<plan>(&more);
    if (!base) return false;
    if (!added) {
        into = std::move(more);
        return false;
    }
    std::move(added->streams.begin(), added->streams.end(), std::back_inserter(base->streams));
    std::move(added->claims.begin(), added->claims.end(), std::back_inserter(base->claims));
    return true;
}

}  // namespace linkledger::commands
