#pragma once
// Clicks for a rebuild in SQLite: sorted by the primary key, since rows that come in another order each touch
// a page of their own of its index.

#include "projections/rebuild/sorted_fold.h"

#include <memory>

namespace linkledger::projections::clicks {

[[nodiscard]] std::unique_ptr<sorted_fold> create_sorted_fold();

}  // namespace linkledger::projections::clicks
