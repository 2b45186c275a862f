#pragma once
// The log's own store as something to verify.

#include "eventlog/merkle/published.h"
#include "eventlog/merkle/verify.h"

namespace linkledger::eventlog::merkle {

class store_source final : public audit_source {
public:
    store_source(event_log& log, tree_store& store) : log_(log), published_(log, store) {}

    /// Empty when nothing is signed yet.
    result<std::string> checkpoint_note() override;
    result<std::optional<position>> last() override;
    result<std::vector<leaf_block>> blocks(std::int64_t first, std::int64_t count,
                                           std::int64_t size) override;
    [[nodiscard]] bool is_sequential() const override { return false; }
    result<std::optional<std::string>> tile(tile_address const& at) override;

private:
    event_log& log_;
    published_log published_;
};

}  // namespace linkledger::eventlog::merkle
