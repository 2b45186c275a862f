// The list of projections: a new one adds a line, a new version another.

#include "projections/registry.h"

#include "projections/accounts/accounts_projection.h"
#include "projections/audit_logs/audit_logs_projection.h"
#include "projections/clicks/clicks_projection.h"
#include "projections/links/links_projection.h"
#include "projections/read_store.h"
#include "projections/realtime/realtime_projection.h"

#include <algorithm>
#include <map>
#include <set>

namespace linkledger::projections {
namespace {

std::map<std::string, std::set<int>, std::less<>> versions_known() {
    std::map<std::string, std::set<int>, std::less<>> known;
    for (auto const& each : create_all()) known[std::string{each->name()}].insert(each->version());
    return known;
}

}  // namespace

std::vector<std::unique_ptr<projection>> create_all() {
    std::vector<std::unique_ptr<projection>> all;
    all.push_back(std::make_unique<accounts::accounts_projection>());
    all.push_back(std::make_unique<links::links_projection>(2));
    all.push_back(std::make_unique<links::links_projection>(1));
    all.push_back(std::make_unique<clicks::clicks_projection>());
    all.push_back(std::make_unique<audit_logs::audit_logs_projection>());
    all.push_back(std::make_unique<realtime::realtime_projection>());
    return all;
}

std::vector<std::string> projection_names() {
    std::vector<std::string> names;
    for (auto const& each : create_all()) {
        std::string name{each->name()};
        if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
    }
    return names;
}

void require_readable(std::string_view name, int version) {
    static auto const known = versions_known();
    auto const found = known.find(name);
    if (found == known.end() || found->second.contains(version)) return;
    throw unreadable_version{"the read model " + std::string{name} + " is live in version " +
                             std::to_string(version) + ", which this executable cannot read (it reads " +
                             std::to_string(*found->second.rbegin()) +
                             " at most). Ask a newer linkledger, or take "
                             "the version back with linkledger switch."};
}

}  // namespace linkledger::projections
