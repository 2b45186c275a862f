#pragma once
// Folds links, their tags and their click counters into tables: version 1, and version 2, which has each
// link's clicks by country besides.

#include "projections/projection.h"

namespace linkledger::projections::links {

class links_projection final : public projection {
public:
    explicit links_projection(int version) : version_(version) {}
    [[nodiscard]] std::string_view name() const override { return "links"; }
    [[nodiscard]] int version() const override { return version_; }
    [[nodiscard]] std::span<std::string_view const> event_types() const override;
    [[nodiscard]] std::span<std::string_view const> tables() const override;
    [[nodiscard]] std::unique_ptr<sorted_fold> create_sorted_fold(sql::dialect in) const override;
    void apply(event_batch batch, sql::connection& transaction) override;

private:
    int version_;
};

}  // namespace linkledger::projections::links
