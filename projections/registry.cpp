// The list of projections: a new one adds a line.

#include "projections/registry.h"

#include "projections/accounts/accounts_projection.h"
#include "projections/audit_logs/audit_logs_projection.h"
#include "projections/clicks/clicks_projection.h"
#include "projections/links/links_projection.h"
#include "projections/realtime/realtime_projection.h"

namespace linkledger::projections {

std::vector<std::unique_ptr<projection>> create_all() {
    std::vector<std::unique_ptr<projection>> all;
    all.push_back(std::make_unique<accounts::accounts_projection>());
    all.push_back(std::make_unique<links::links_projection>());
    all.push_back(std::make_unique<clicks::clicks_projection>());
    all.push_back(std::make_unique<audit_logs::audit_logs_projection>());
    all.push_back(std::make_unique<realtime::realtime_projection>());
    return all;
}

}  // namespace linkledger::projections
