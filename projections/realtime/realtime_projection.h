#pragma once
// Counts the clicks of people within 24-hour windows, by link and by workspace.

#include "projections/projection.h"

namespace linkledger::projections::realtime {

class realtime_projection final : public projection {
public:
    [[nodiscard]] std::string_view name() const override { return "realtime"; }
    [[nodiscard]] int version() const override { return 1; }
    [[nodiscard]] std::span<std::string_view const> event_types() const override;
    [[nodiscard]] std::span<std::string_view const> tables() const override;
    /// Counters are looked at while people click.
    [[nodiscard]] std::optional<std::chrono::milliseconds> linger() const override {
        return std::chrono::milliseconds{10};
    }
    void apply(event_batch batch, sql::connection& transaction) override;
    [[nodiscard]] std::unique_ptr<memory_fold> create_memory_fold() const override;
};

}  // namespace linkledger::projections::realtime
