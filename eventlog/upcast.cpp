#include "eventlog/upcast.h"

#include <boost/json/object.hpp>

namespace linkledger::eventlog {

void upcaster_table::add(std::string type, int from_version, upcaster step) {
    steps_.insert_or_assign({std::move(type), from_version}, std::move(step));
}

bool upcaster_table::apply(std::string_view type, int from_version, int to_version, boost::json::object& data,
                           boost::json::object* personal) const {
    if (from_version > to_version) return false;
    for (int v = from_version; v < to_version; ++v) {
        auto const step = steps_.find(std::pair{std::string{type}, v});
        if (step == steps_.end()) return false;
        step->second(data, personal);
    }
    return true;
}

upcaster_table const& current_upcasters() {
    // Every event is at its first version, so there is nothing to lift yet.
    static upcaster_table const table;
    return table;
}

}  // namespace linkledger::eventlog
