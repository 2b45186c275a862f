#pragma once
// Folds clicks into one row each.

#include "projections/projection.h"

namespace linkledger::projections::clicks {

class clicks_projection final : public projection {
public:
    [[nodiscard]] std::string_view name() const override { return "clicks"; }
    [[nodiscard]] int version() const override { return 1; }
    [[nodiscard]] std::span<std::string_view const> event_types() const override;
    [[nodiscard]] std::span<std::string_view const> tables() const override;
    [[nodiscard]] bool has_row_per_event() const override { return true; }
    [[nodiscard]] std::unique_ptr<sorted_fold> create_sorted_fold(sql::dialect in) const override;
    void apply_in_any_order(event_batch batch, sql::connection& transaction) override;
    void apply(event_batch batch, sql::connection& transaction) override;
};

}  // namespace linkledger::projections::clicks
