#include "projections/projection.h"

#include "projections/memory_fold.h"
#include "projections/rebuild/sorted_fold.h"

namespace linkledger::projections {

std::unique_ptr<sorted_fold> projection::create_sorted_fold(sql::dialect /*in*/) const {
    return nullptr;
}

std::unique_ptr<memory_fold> projection::create_memory_fold() const {
    return nullptr;
}

}  // namespace linkledger::projections
