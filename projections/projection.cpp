#include "projections/projection.h"

#include "projections/rebuild/sorted_fold.h"

namespace linkledger::projections {

std::unique_ptr<sorted_fold> projection::create_sorted_fold(sql::dialect /*in*/) const {
    return nullptr;
}

}  // namespace linkledger::projections
