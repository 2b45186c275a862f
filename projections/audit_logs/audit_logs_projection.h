#pragma once
// Folds everything that people and keys do into audit rows.

#include "projections/projection.h"

namespace linkledger::projections::audit_logs {

class audit_logs_projection final : public projection {
public:
    [[nodiscard]] std::string_view name() const override { return "audit_logs"; }
    [[nodiscard]] int version() const override { return 1; }
    [[nodiscard]] std::span<std::string_view const> event_types() const override;
    [[nodiscard]] std::span<std::string_view const> tables() const override;
    [[nodiscard]] bool reads_cause() const override { return true; }
    [[nodiscard]] bool has_row_per_event() const override { return true; }
    void apply_in_any_order(event_batch batch, sql::connection& transaction) override;
    void apply(event_batch batch, sql::connection& transaction) override;
};

}  // namespace linkledger::projections::audit_logs
