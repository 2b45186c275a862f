#pragma once
// Links for a rebuild: taken apart by link, so that each row is written once and visitors come in the order
// of their index.

#include "projections/rebuild/sorted_fold.h"

#include <memory>

namespace linkledger::projections::links {

/// For the tables of that version of the projection `links`.
[[nodiscard]] std::unique_ptr<sorted_fold> create_sorted_fold(int version);

}  // namespace linkledger::projections::links
