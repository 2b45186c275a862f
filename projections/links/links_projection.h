#pragma once
// Folds links, their tags and their click counters into tables.

#include "projections/projection.h"

namespace linkledger::projections::links {

class links_projection final : public projection {
public:
    [[nodiscard]] std::string_view name() const override { return "links"; }
    [[nodiscard]] int version() const override { return 1; }
    [[nodiscard]] std::span<std::string_view const> event_types() const override;
    [[nodiscard]] std::span<std::string_view const> tables() const override;
    void apply(event_batch batch, sql::connection& transaction) override;
};

}  // namespace linkledger::projections::links
