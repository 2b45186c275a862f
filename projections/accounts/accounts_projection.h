#pragma once
// Folds users, workspaces, members, invitations and API keys into their tables.

#include "domain/access.h"
#include "projections/projection.h"

#include <string>

namespace linkledger::projections::accounts {

/// A role as the tables have it.
[[nodiscard]] std::string name_of(domain::role role);

class accounts_projection final : public projection {
public:
    [[nodiscard]] std::string_view name() const override { return "accounts"; }
    [[nodiscard]] int version() const override { return 1; }
    [[nodiscard]] std::span<std::string_view const> event_types() const override;
    [[nodiscard]] std::span<std::string_view const> tables() const override;
    void apply(event_batch batch, sql::connection& transaction) override;
};

}  // namespace linkledger::projections::accounts
