#pragma once
// Workspaces, members and API keys of the read model against a fold of the log.

#include "domain/event.h"
#include "eventlog/event_log.h"
#include "projections/read_store.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace linkledger::projections::accounts {

/// Takes a snapshot when made. Then: fold every event up to `until` in order, and compare.
class accounts_check {
public:
    explicit accounts_check(read_store& store);

    [[nodiscard]] eventlog::position until() const { return at_; }
    /// Events of other types are passed over. `corrupted`: one cannot be read.
    [[nodiscard]] eventlog::result<void> fold(eventlog::recorded_event const& event);
    void compare(std::function<void(std::string)> const& note) const;

private:
    /// What a row says that a fold can say too: a name, a role, whether a key is revoked.
    using values = std::map<std::string, std::string>;
    struct tables {
        values workspaces, members, keys, users;
    };
    void apply(domain::event const& happened);

    eventlog::position at_ = 0;
    tables stored_;
    tables folded_;
};

}  // namespace linkledger::projections::accounts
