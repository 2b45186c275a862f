#pragma once
// The log's own store as something to verify.

#include "eventlog/bulk_reader.h"
#include "eventlog/merkle/published.h"
#include "eventlog/merkle/verify.h"

#include <mutex>

namespace linkledger::eventlog::merkle {

class store_source final : public audit_source {
public:
    /// Events come through `readers`, a reader for each thread that asks at once.
    store_source(event_log& log, tree_store& store, bulk_reader_factory readers)
        : log_(log), published_(log, store), readers_(std::move(readers)) {}

    /// Empty when nothing is signed yet.
    result<std::string> checkpoint_note() override;
    result<std::optional<position>> last() override;
    result<std::vector<leaf_block>> blocks(std::int64_t first, std::int64_t count,
                                           std::int64_t size) override;
    [[nodiscard]] bool is_sequential() const override { return false; }
    result<std::optional<std::string>> tile(tile_address const& at) override;

private:
    result<std::vector<recorded_event>> read(position after, position until);

    event_log& log_;
    published_log published_;
    bulk_reader_factory readers_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<bulk_reader>> idle_;
};

}  // namespace linkledger::eventlog::merkle
